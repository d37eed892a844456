import type { ErrorCode } from "./errors.ts";

/**
 * What travels on `/v1/live`, both ways; live-queries.md 7. `D` is a document: the server splices texts, the SDK holds
 * values.
 */
export type ClientFrame =
  /** First and once, within 5 s. `after`: the highest position that the client has seen. */
  | { readonly t: "hello"; readonly v: 1; readonly token?: string; readonly after?: string }
  /** A new token for this socket; null: nobody from now on. */
  | { readonly t: "auth"; readonly token: string | null }
  /** `s` is chosen by the client, rises, and is never used twice on a socket. */
  | { readonly t: "sub"; readonly s: number; readonly q: LiveQuery; readonly after?: string; readonly have?: Have }
  | { readonly t: "unsub"; readonly s: number }
  /** Answered by `beat`. */
  | { readonly t: "ping" };

/** One question about one collection; its bodies are those of HTTP, and the server's parser reads them. */
export type LiveQuery = { readonly collection: string } & (
  | { readonly find: object }
  | { readonly get: { readonly ids: readonly string[]; readonly select?: readonly string[] } }
  | { readonly count: object }
  | { readonly distinct: object }
  | { readonly aggregate: object }
);

/** What a client still holds of a result, for it to be told that nothing has changed. */
export interface Have {
  /** As the last `snapshot` or `current` said. */
  readonly shape: string;
  /** `resultHash` of the rows. */
  readonly hash: string;
}

export type ServerFrame<D> =
  /** To `hello` and to each `auth`. `beat`: seconds between beats. `now`: the server's clock. */
  | {
      readonly t: "welcome";
      readonly pos: string;
      readonly user: string | null;
      readonly expires?: string;
      readonly beat: number;
      readonly now: string;
    }
  | {
      readonly t: "snapshot";
      readonly s: number;
      readonly w: string;
      readonly pos: string;
      readonly shape: string;
      readonly rows: readonly D[];
      /** Rows follow after the last one. */
      readonly more: boolean;
      /** As in {@link Delta}. */
      readonly short?: boolean;
      readonly reset?: Reset;
    }
  /** Of `count`, `distinct` and `aggregate`. `at`: where it is exact, at or before `pos`. */
  | {
      readonly t: "value";
      readonly s: number;
      readonly w: string;
      readonly pos: string;
      readonly at: string;
      readonly value: unknown;
      readonly reset?: Reset;
    }
  /** What the client has is the result. */
  | {
      readonly t: "current";
      readonly s: number;
      readonly w: string;
      readonly pos: string;
      readonly shape: string;
      readonly more: boolean;
      readonly short?: boolean;
    }
  /** One commit, for all windows of this socket that it changed. */
  | { readonly t: "commit"; readonly pos: string; readonly w: { readonly [window: string]: WindowChange<D> } }
  | { readonly t: "beat"; readonly pos: string }
  /** With `s` it ends that subscription; without, it answers the last frame. */
  | { readonly t: "error"; readonly s?: number; readonly error: FrameError }
  /** Before a planned close. `retry`: milliseconds to wait. */
  | { readonly t: "bye"; readonly pos: string; readonly retry: number };

/** `at`: where the value is exact, at or before `pos`: commits may have followed while it was computed. */
export type WindowChange<D> = Delta<D> | { readonly value: unknown; readonly at: string };

/**
 * How a result changed: take out every `rm` and every id in `up`, then insert `up` in rising order, each at its final
 * index. What is absent stays as it was.
 */
export interface Delta<D> {
  /** Where this window's delta before, or its load, stood. */
  readonly prev: string;
  readonly rm?: readonly string[];
  readonly up?: readonly (readonly [index: number, document: D])[];
  readonly more?: boolean;
  /** The rows are an exact beginning of the result; the rest is being read. */
  readonly short?: boolean;
}

/** Why a result is told anew. */
export type Reset = "resume" | "rights" | "history" | "dropped" | "audit";

export interface FrameError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details?: unknown;
  readonly requestId: string;
}

/** WebSocket close codes, each with what it means; live-queries.md 7. */
export const CLOSE = {
  normal: 1000,
  protocol: 1002,
  notText: 1003,
  notUtf8: 1007,
  policy: 1008,
  tooLarge: 1009,
  internal: 1011,
  draining: 1012,
  overloaded: 1013,
  unauthenticated: 4401,
  forbidden: 4403,
  slow: 4408,
  ahead: 4409,
  tooMany: 4429,
} as const;
