import type { Log } from "../log.ts";
import type { DocumentStore } from "../stores/document-store.ts";

/** The definitions of all collections, held in memory and replaced as the store's tail passes their commits. */
export interface Definitions {
  close(): void;
}

export declare function openDefinitions(options: {
  readonly store: DocumentStore;
  readonly clock: () => number;
  readonly log: Log;
}): Promise<Definitions>;
