import type { LoggedCommit } from "../commit-log.ts";
import type { Change, Position, Row } from "../document-store.ts";
import { rowOfBytes } from "./rows.ts";

/** The last state of one document in a commit. */
export interface KeptChange {
  readonly collection: string;
  readonly id: string;
  /** As it is stored; undefined if it is gone. */
  readonly document: Uint8Array | undefined;
}

/** What the log keeps of a commit: the documents' bytes. Most changes are of no interest to those who are told of them. */
export function keptCommit(
  position: Position,
  changes: readonly KeptChange[],
  dropped: readonly string[],
): LoggedCommit {
  let bytes = 100;
  const kept = changes.map(({ collection, id, document }) => {
    bytes += id.length + (document?.length ?? 0);
    // A copy: they are a part of the whole reply, which they would keep in memory.
    return { collection, id, document: document && Buffer.from(document) };
  });
  const make = () => ({
    position,
    changes: kept.map((change) => new StoredChange(change)),
    ...(dropped.length > 0 && { dropped }),
  });
  return { position, bytes, make };
}

/** A change whose row is read from its bytes at first use. */
class StoredChange implements Change {
  readonly collection: string;
  readonly id: string;
  /** Undefined once it was read. */
  #document: Uint8Array | undefined;
  #next: Row | undefined;

  constructor({ collection, id, document }: KeptChange) {
    this.collection = collection;
    this.id = id;
    this.#document = document;
  }

  /** A document of another program that is outside of the language counts as absent. */
  get next(): Row | undefined {
    if (this.#document) {
      this.#next = rowOfBytes(this.#document);
      this.#document = undefined;
    }
    return this.#next;
  }
}
