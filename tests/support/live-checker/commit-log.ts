/** What truly happened: every commit of a store, in order, as somebody saw it who knows nothing of live queries. */
import type { DocumentStore, Row } from "../../../server/stores/document-store.ts";

/** A stored document, as {@link Row}. */
export type LoggedDocument = Row;

export interface LoggedChange {
  readonly collection: string;
  readonly id: string;
  /** As it is after the commit; undefined if it is gone. */
  readonly document: LoggedDocument | undefined;
}

export interface LoggedCommit {
  readonly position: string;
  readonly changes: readonly LoggedChange[];
  readonly dropped?: readonly string[];
  /** The store was opened again: these are all documents there are, and positions of a new history follow. */
  readonly anew?: true;
}

export interface CommitLog {
  /** In commit order. Whoever has checked a part of it may take it out. */
  readonly commits: LoggedCommit[];
  /**
   * Positions as texts that compare across the histories of the log; undefined for one that the log has not come to.
   */
  orderOf(position: string): string | undefined;
  /** Resolves once every commit is in it that was made before the call. */
  settled(): Promise<void>;
  close(): void;
}

/** What the checker's model has to know. */
export const isWatched = (collection: string) =>
  !collection.startsWith("_") || collection === "_users" || collection === "_rules";

/** Follows a store in this process. Begin before anything is written. */
export function followStore(store: Pick<DocumentStore, "tail" | "position" | "passed">): CommitLog {
  const commits: LoggedCommit[] = [];
  const order = createOrder();
  const tail = store.tail(undefined, ({ position, changes, dropped }) => {
    order.came(position);
    commits.push({
      position,
      changes: changes
        .filter(({ collection }) => isWatched(collection))
        .map(({ collection, id, next }) => ({ collection, id, document: next })),
      ...(dropped && { dropped }),
    });
  });
  order.came(tail.position);
  return {
    commits,
    orderOf: order.of,
    settled: () => store.passed(store.position()),
    close: () => tail.close(),
  };
}

/** Orders positions by the histories in which they came, and then by their places. */
export interface Order {
  /** To be told of each position, in order. */
  came(position: string): void;
  of(position: string): string | undefined;
}

export function createOrder(): Order {
  const histories = new Map<string, string>();
  return {
    came(position) {
      const history = position.slice(0, position.lastIndexOf("."));
      if (!histories.has(history)) histories.set(history, String(histories.size).padStart(4, "0"));
    },
    of(position) {
      const dot = position.lastIndexOf(".");
      const number = histories.get(position.slice(0, dot));
      return number === undefined ? undefined : number + position.slice(dot);
    },
  };
}
