import type { Aggregate, Group } from "#protocol/aggregate";
import type { Node, SortKey } from "#protocol/ast";
import type { Key } from "#protocol/compare";
import type { Path } from "#protocol/paths";
import type { Document, Value } from "#protocol/values";

/**
 * The port of the document stores. Its comments are laws: tests/contract/document-store.ts turns each into a test that
 * every engine must pass, so that one engine can stand in for another and nobody above can tell which one answers.
 *
 * Every method throws `GalleyError` only; what the engine itself said is its `cause`. A store that is full, gone or
 * slow answers `storage_full`, `unavailable` or `timeout`, each with `details.outcome` where a write was meant.
 */
export interface DocumentStore {
  /**
   * The rows with these ids, in the order of `ids`, undefined where there is none. Sees every commit whose promise was
   * resolved before the call. Costs the same however many documents the collection holds, and parses none.
   */
  get(collection: string, ids: readonly string[]): Promise<(Row | undefined)[]>;

  /**
   * One page: the first `limit` rows, in the order of `sort`, that match `filter` and whose (key tuple, id) is greater
   * than `after`. All rows are of one state of the store, that of `position`. Exactly what sort.ts and match.ts say,
   * whatever index was used. An unknown collection is empty. This and the next three read the state of now, or that of
   * `at`, see {@link Query}.
   *
   * @throws GalleyError `query_too_expensive` or `index_required` past `budget.candidates`, `timeout` past the deadline,
   *   `invalid_argument` (`sort_parallel_arrays`) if a matching document has two arrays on the sort's paths,
   *   `payload_too_large` past `budget.characters`; of a read at a position, what `Query.at` says
   */
  find(query: FindQuery): Promise<FindResult>;

  /** How many rows match, counted no further than `cap`; `more` tells whether there are further ones. */
  count(query: Query & { readonly cap: number }): Promise<Counted>;

  /** The least `LIMITS.distinctValues` values that `path` yields over all matches; query-language.md 5.4. */
  distinct(query: Query & { readonly path: Path }): Promise<Distinct>;

  /** Groups and outputs over all matches; query-language.md 5.6. */
  aggregate(query: Query & { readonly aggregate: Aggregate }): Promise<Aggregated>;

  /**
   * Applies the writes in order, all or nothing, and resolves when they are durable: neither a kill of the process nor
   * a power cut takes them back. Every write names the version it expects, so the caller's decision and the write are
   * one step. One commit is one position. Commits called in one turn may share a sync, and never a fate.
   *
   * @throws GalleyError with `details.operation`, the index of the write at fault, and `outcome: "not_applied"`:
   *   `version_conflict` if the stored version is not the expected one; `unique_violation` with `details.index`;
   *   `schema_violation` with `reason` `parallel_arrays` or `index_key_too_long` if an index cannot hold the document.
   *   `not_found` if a put names a collection that does not exist, where everything else is taken as absent.
   *   `storage_full` is `not_applied` too. Anything whose end is not known is `unavailable`, `outcome: "unknown"`.
   *
   * @param values by the index of a put, what its text says, where the caller has it at hand: then no engine parses it.
   *   Never changed afterwards
   */
  commit(writes: readonly Write[], values?: readonly (Document | undefined)[]): Promise<Position>;

  /**
   * The version for a document that now has `previous` (0: none): greater than it, at least `now * 1024`, and never one
   * that this store gave out before, even if the clock goes back.
   */
  nextVersion(previous: number): number;

  /** A position at which every commit that was resolved before this call is visible. */
  position(): Position;

  /**
   * Calls `listener` with every commit after `from` (undefined: after `position()`), of whichever process, in commit
   * order, each once, whole, and never before it is durable. It may come a moment after its writer was answered: who
   * needs it told waits for `passed`. Commits that were told before, to whomever, are told before this returns. A commit
   * that changes nothing is told to nobody. Listeners are told of a commit in the order in which they were registered, all
   * of them in the same turn of the event loop.
   *
   * @param lost is called if the store has lost the order of commits (its history is gone, its writer was killed): what
   *   the listener knows may be out of date, later commits come as before. Read anew: no process counts as having passed
   *   what was missed before the promise that it returns is resolved
   * @throws GalleyError `failed_precondition` (`reason: "history_lost"`) if `from` is older than what the store keeps or
   *   of another history
   */
  tail(from: Position | undefined, listener: (commit: Commit) => void, lost?: Lost): Tail;

  /**
   * Resolves once this process's listeners were told every commit up to `position`, also if none follows it: seconds
   * later at most, for a position that any process was given.
   *
   * @throws GalleyError `unavailable`, `outcome: "unknown"` (the commit stands), if that cannot be known in time
   */
  passed(position: Position): Promise<void>;

  /**
   * Resolves once every live process on this store has told its listeners the commits up to `position`, and no commit is
   * under way any more that one of them called before. So what was decided by older knowledge is stored and can be read,
   * and nothing more of it will come. A process that falls silent stops serving before it is no longer waited for.
   *
   * @throws GalleyError as `passed`
   */
  barrier(position: Position): Promise<void>;

  /** The processes that work on this store. */
  readonly nodes: Nodes;

  /**
   * Makes the collection and its indexes exist as defined, and no others. Resolves when writes keep the new indexes;
   * they are filled in the background and serve queries once `ready`. Repeating it with the same definition does nothing,
   * except that a `failed` index is built anew.
   *
   * @throws GalleyError `invalid_argument` for a name other than `_?[a-z][a-z0-9_-]{0,62}`
   */
  ensureCollection(definition: StoredCollection): Promise<void>;

  /** Drops the collection with its documents and indexes: one commit, told by the tail as `dropped`. */
  dropCollection(name: string): Promise<Position>;

  /** Size and index states of one collection; undefined if it does not exist. */
  stats(name: string): Promise<CollectionStats | undefined>;

  /** Resolves if the store answers. @throws GalleyError `unavailable` */
  ping(): Promise<void>;

  /** Ends after what is under way: commits are answered, the tail ends, files and connections are closed. */
  close(): Promise<void>;
}

/** Processes that share a store. */
export interface Nodes {
  /** The name of this one, for as long as it runs. */
  readonly self: string;
  /** Whether a process may still be at work. False only of one that has ended or stopped serving. */
  lives(node: string): boolean;
  /**
   * Whether this one has been told what others changed, so that it may judge by that. While it has not, the store answers
   * `unavailable`; who judges by what it remembers, before it asks the store, has to look here.
   */
  readonly inTouch: boolean;
  /**
   * Milliseconds since this process looked at the order of commits and was then told everything up to there. About a
   * second at most where all is well, 0 where one process makes all commits; it rises while commits come late, or do not
   * come. Who shows what commits did should take on nobody new from 3,000 on; and show nothing more once `inTouch` is false,
   * which it is from 4,000 on at the latest.
   */
  readonly lag: number;
  /** Resolves once it is in touch, if that takes but a moment. @throws GalleyError `unavailable` */
  touch(): Promise<void>;
}

declare const position: unique symbol;
/** A place in the commit order, `<history>.<place>`, place in 16 hex digits: of one history, compare as text. */
export type Position = string & { readonly [position]: true };

/** A stored document. `text` is its canonical text, which replies splice; `value` is parsed from it at first use. */
export interface Row {
  readonly id: string;
  readonly version: number;
  readonly text: string;
  readonly value: Document;
  /** The text, as long as the value was not made of it: who asks little of a document reads it there. */
  readonly unread?: string | undefined;
}

/** How much a query may cost before it is refused. */
export interface Budget {
  /** Documents it may evaluate; `Infinity` for principals that are exempt. */
  readonly candidates: number;
  /** Milliseconds it may take, counted from the call. */
  readonly milliseconds: number;
  /** Characters of documents that a page may hold together; beyond it `payload_too_large`. Undefined: any. */
  readonly characters?: number;
  /** Stops the work early, with `timeout`, when the caller has gone. */
  readonly signal?: { readonly aborted: boolean };
}

export interface Query {
  readonly collection: string;
  /** Normalised (normalise.ts), with the caller's rule already in it. */
  readonly filter: Node;
  readonly budget: Budget;
  /**
   * Reads the state of this position, or of a later one: the result's `position` S says which. The tail reaches S without
   * any further write, so whoever follows it and applies the commits after S to the result misses nothing. A position
   * that this process has not reached yet is waited for, and so is a server that is away for a moment: no longer than
   * `budget.milliseconds`. Such reads wait for no question without `at`, however slow that is.
   *
   * A read of it throws GalleyError `failed_precondition` (`reason: "history_lost"`) if the position is of another history,
   * older than what the store keeps, or older than the last time that the order of commits was lost; `unavailable` if it
   * is not reached in time.
   */
  readonly at?: Position;
}

export interface FindQuery extends Query {
  /** Ends with `_id`. */
  readonly sort: readonly SortKey[];
  readonly limit: number;
  /** The key tuple of the row before this page, one part a sort key, `_id` included. */
  readonly after?: readonly Key[];
}

/** What a read cost and what would have made it cheaper. */
export interface Cost {
  readonly position: Position;
  /** Documents evaluated or returned. */
  readonly examined: number;
  /** The index that would serve this query, if it used none and one could be declared. */
  readonly advice?: IndexDefinition;
}

export interface FindResult extends Cost {
  readonly rows: readonly Row[];
  /** Whether rows follow after the last one. */
  readonly more: boolean;
}

export interface Counted extends Cost {
  readonly count: number;
  readonly more: boolean;
}

export interface Distinct extends Cost {
  readonly values: readonly Value[];
  readonly more: boolean;
}

export interface Aggregated extends Cost {
  readonly groups: readonly Group[];
  readonly more: boolean;
}

/** One change of a commit. `expect` is the version that must be stored; 0 demands absence. */
export type Write =
  | {
      readonly kind: "put";
      readonly collection: string;
      readonly id: string;
      readonly expect: number;
      readonly version: number;
      /** Canonical text of the whole document, server fields included. */
      readonly text: string;
    }
  | { readonly kind: "delete"; readonly collection: string; readonly id: string; readonly expect: number }
  /** Changes nothing, but fails like a write, and no other commit can slip between it and this commit. */
  | { readonly kind: "check"; readonly collection: string; readonly id: string; readonly expect: number };

export interface Commit {
  readonly position: Position;
  /** One entry a document, its last state in this commit; checks leave none. */
  readonly changes: readonly Change[];
  /** Collections dropped in this commit. */
  readonly dropped?: readonly string[];
}

export interface Change {
  readonly collection: string;
  readonly id: string;
  /** The document as it now is; undefined if it is gone. Read at first use: look at it only where it is of interest. */
  readonly next: Row | undefined;
}

/** What it returns is waited for if it is a promise. */
export type Lost = () => unknown;

export interface Tail {
  readonly position: Position;
  close(): void;
}

export interface IndexDefinition {
  /** Dotted paths, `-` in front for descending, at most `LIMITS.indexPaths`. */
  readonly paths: readonly string[];
  readonly unique?: boolean;
}

/** What a store knows of a collection: schema and rules live above it. */
export interface StoredCollection {
  readonly name: string;
  readonly indexes: readonly IndexDefinition[];
}

export interface CollectionStats {
  readonly documents: number;
  /** Bytes of the documents: of their texts, or of the form that the engine stores and counts along. */
  readonly bytes: number;
  readonly indexes: readonly IndexStats[];
}

export interface IndexStats extends IndexDefinition {
  readonly state: "building" | "ready" | "failed";
  /** 0 to 1. */
  readonly progress: number;
  /** Why it failed; for a unique index, with some of the ids that clash. */
  readonly reason?: string;
  readonly duplicates?: readonly (readonly string[])[];
}
