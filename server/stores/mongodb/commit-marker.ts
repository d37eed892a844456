import type { Document } from "mongodb";

/**
 * Where markers lie, beside the records of keyed writes (server/documents/idempotency.ts), whose sweep removes both by
 * their `expiresAt`.
 */
export const COMMITS = "_commits";
/** Milliseconds for which a marker is kept: it is of use only until every node's tail has passed it. */
const MARKER_LIFE = 60 * 60 * 1000;
/** No id of a record starts like this: those are hexadecimal. */
const MARKER_PREFIX = "commit-";

/**
 * The hidden member of stored documents that names a commit: the last one that checked the document
 * (query-language.md 9.4), and in `_commits` the one that ends with it.
 */
export const HIDDEN = "_l";

/** The document that a transaction writes last, if it has no record there that can bear {@link HIDDEN} for it. */
export function markerOf(commit: string, version: number, now: number): Document {
  return {
    _id: `${MARKER_PREFIX}${commit}`,
    _v: version,
    _createdAt: new Date(now),
    _updatedAt: new Date(now),
    expiresAt: new Date(now + MARKER_LIFE),
    [HIDDEN]: commit,
  };
}

/** Whether a document written in a transaction is its last: no further event of that transaction follows. */
export function endsCommit(collection: string, written: Document | undefined): boolean {
  return collection === COMMITS && typeof written?.[HIDDEN] === "string";
}

/** Whether a document of `_commits` is a mere marker, which nobody outside the engine is told of. */
export function isMarker(collection: string, id: unknown): boolean {
  return collection === COMMITS && typeof id === "string" && id.startsWith(MARKER_PREFIX);
}
