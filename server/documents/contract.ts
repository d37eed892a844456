import type { AdminScope, Scope } from "../access/authorize.ts";
import type { RulesVisit } from "../access/publishing/rules-contract.ts";
import type { CollectionStats, IndexDefinition, Position } from "../stores/document-store.ts";

/**
 * What transport asks of documents: requests as they came, in parts, and answers as JSON text, because a document that
 * is only forwarded is never rebuilt. Whatever stands in `unknown` is parsed and judged by the service.
 */
export interface DocumentService {
  get(scope: Scope, id: string, read: ReadRequest): Promise<DocumentReply | undefined>;
  find(scope: Scope, request: FindRequest): Promise<PageReply>;
  count(scope: Scope, request: CountRequest): Promise<{ count: number; more: boolean; position: Position }>;
  distinct(scope: Scope, request: DistinctRequest): Promise<{ values: string; more: boolean; position: Position }>;
  aggregate(scope: Scope, request: AggregateRequest): Promise<{ groups: string; more: boolean; position: Position }>;
  /** POST: a new document. */
  create(scope: Scope, body: unknown, write: WriteRequest): Promise<WriteReply>;
  /** PUT: replaces or creates. */
  set(scope: Scope, id: string, body: unknown, write: WriteRequest): Promise<WriteReply>;
  /** PATCH: fields or operators. @throws GalleyError `not_found` unless `upsert` */
  update(scope: Scope, id: string, body: unknown, write: WriteRequest & { upsert?: boolean }): Promise<WriteReply>;
  /** @throws GalleyError `not_found` */
  delete(scope: Scope, id: string, write: WriteRequest): Promise<WriteReply>;
  /** All or nothing. `scopeOf` authorizes each operation's collection. */
  batch(scopeOf: (collection: string) => Scope, body: unknown, write: WriteRequest): Promise<BatchReply>;
}

export interface ReadRequest {
  readonly select?: unknown;
  readonly expand?: unknown;
  /** `?types=plain`: untagged values in and out. */
  readonly plain?: boolean;
  readonly signal?: { readonly aborted: boolean };
}

export interface FindRequest extends ReadRequest {
  readonly filter?: unknown;
  readonly sort?: unknown;
  readonly limit?: unknown;
  readonly after?: unknown;
}
export interface CountRequest extends ReadRequest {
  readonly filter?: unknown;
  readonly cap?: unknown;
}
export interface DistinctRequest extends ReadRequest {
  readonly filter?: unknown;
  readonly path?: unknown;
}
export interface AggregateRequest extends ReadRequest {
  readonly filter?: unknown;
  readonly group?: unknown;
  readonly out?: unknown;
  readonly sort?: unknown;
  readonly limit?: unknown;
}

/** One document. `shape` is the second half of its ETag: the same for equal select, types and masks. */
export interface DocumentReply {
  readonly id: string;
  readonly version: number;
  readonly shape: string;
  readonly text: string;
  readonly expansion?: Expansion;
}

/** What `expand` brought, as JSON texts: the documents by collection and id, and the collection each path leads to. */
export interface Expansion {
  readonly included: string;
  readonly references: string;
}

export interface PageReply {
  readonly documents: readonly string[];
  readonly next?: string;
  readonly position: Position;
  readonly expansion?: Expansion;
  /** In development mode: the index that would serve this query. */
  readonly advice?: { readonly index: IndexDefinition };
}

export interface WriteRequest {
  /** From If-Match, If-None-Match: * (0: must be absent) or a batch item; undefined: whatever is stored. */
  readonly ifVersion?: number;
  /** `If-None-Match: *` and `If-Match: *` on any version. */
  readonly mustExist?: boolean;
  readonly idempotency?: IdempotencyRequest;
  readonly plain?: boolean;
}

/** An `Idempotency-Key` with what binds it: the same key with another route or body is refused. */
export interface IdempotencyRequest {
  readonly key: string;
  /** Method and path, as in `POST /v1/documents/posts`. */
  readonly route: string;
  /** SHA-256 of the body's bytes, hex. */
  readonly bodyHash: string;
}

export interface WriteReply {
  readonly id: string;
  readonly version: number;
  readonly shape: string;
  /** The document as stored; `_id` and `_v` alone for who may write but not read it; empty after a delete. */
  readonly text: string;
  readonly created: boolean;
  readonly position: Position;
}

export interface BatchReply {
  /** `v` is absent where the document is gone afterwards. */
  readonly results: readonly { readonly id: string; readonly v?: number }[];
  readonly position: Position;
}

/** Definitions of collections, and their documents in bulk: what `/v1/admin/collections` serves. */
export interface CollectionService {
  list(scope: AdminScope): Promise<CollectionInfo[]>;
  /** @throws GalleyError `not_found`, as the methods below */
  get(scope: AdminScope, name: string): Promise<CollectionInfo>;
  /**
   * With a `template`, its rules are published too, for which the caller must have the scope to.
   * @throws GalleyError `already_exists`; `failed_precondition` if a template does not fit what is published
   */
  create(scope: AdminScope, body: unknown, visit?: RulesVisit): Promise<CollectionInfo>;
  change(scope: AdminScope, name: string, body: unknown): Promise<CollectionInfo>;
  drop(scope: AdminScope, name: string): Promise<void>;
  /** Dry run of a schema over the stored documents. */
  check(scope: AdminScope, name: string, body: unknown): Promise<SchemaCheck>;
  /** NDJSON in by bytes, one verdict a line out as JSON text, at the reader's pace. */
  import(scope: AdminScope, name: string, lines: AsyncIterable<Uint8Array>, plain: boolean): AsyncIterable<string>;
  /** Documents as JSON text in `_id` order, read by pages. */
  export(scope: AdminScope, name: string, plain: boolean): AsyncIterable<string>;
}

export interface CollectionInfo extends CollectionStats {
  readonly name: string;
  readonly version: number;
  readonly schema?: unknown;
}

export interface SchemaCheck {
  readonly checked: number;
  readonly violating: number;
  readonly examples: readonly { readonly id: string; readonly faults: readonly unknown[] }[];
}
