import type { ErrorCode, ErrorDetails } from "./errors.ts";

/**
 * The bodies of the document routes as both ends hold them, after decoding and before encoding; http-api.md. `D` is a
 * document: the server forwards texts, the SDK holds values.
 */
export interface Page<D> {
  readonly documents: readonly D[];
  /** Send it back as `after` for the rows that follow; absent on the last page. */
  readonly next?: string;
  readonly position: string;
  readonly included?: Included<D>;
  readonly references?: References;
  /** In development mode: the index that would have made this query cheap. */
  readonly advice?: { readonly index: { readonly paths: readonly string[] } };
}

/** What `expand` brought: by collection, then by id. Hidden or gone is absent. */
export interface Included<D> {
  readonly [collection: string]: { readonly [id: string]: D };
}

/** Which collection each expanded path leads to: an id alone does not tell, two collections may share one. */
export interface References {
  readonly [path: string]: string;
}

/** One document asked for with `expand`. */
export interface Expanded<D> {
  readonly document: D;
  readonly included: Included<D>;
  readonly references: References;
}

/** Body of `POST …/query`. */
export interface QueryBody {
  readonly filter?: unknown;
  readonly sort?: string | readonly string[];
  readonly limit?: number;
  readonly after?: string;
  readonly select?: readonly string[];
  readonly expand?: readonly string[];
}

/** One operation of a batch. `ifVersion` demands that version, 0 demands absence; query-language.md 9. */
export type BatchOperation =
  | {
      readonly op: "create";
      readonly collection: string;
      readonly id?: string;
      readonly document: unknown;
      readonly ifVersion?: number;
    }
  | {
      readonly op: "set";
      readonly collection: string;
      readonly id: string;
      readonly document: unknown;
      readonly ifVersion?: number;
    }
  | {
      readonly op: "update";
      readonly collection: string;
      readonly id: string;
      readonly update: unknown;
      readonly upsert?: boolean;
      readonly ifVersion?: number;
    }
  | { readonly op: "delete"; readonly collection: string; readonly id: string; readonly ifVersion?: number }
  | { readonly op: "check"; readonly collection: string; readonly id: string; readonly ifVersion: number };

export interface BatchReply {
  /** In the order of the operations; `v` is absent where the document is gone afterwards. */
  readonly results: readonly { readonly id: string; readonly v?: number }[];
  readonly position: string;
}

/** Every error reply. */
export interface ErrorBody {
  readonly error: {
    readonly code: ErrorCode;
    readonly message: string;
    readonly details?: ErrorDetails;
    readonly requestId: string;
  };
}
