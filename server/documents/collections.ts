import type { Log } from "../log.ts";
import type { DocumentStore } from "../stores/document-store.ts";
import type { CollectionService } from "./contract.ts";
import type { Definitions } from "./definitions.ts";

export interface CollectionServiceOptions {
  readonly store: DocumentStore;
  readonly definitions: Definitions;
  readonly clock: () => number;
  readonly random: (bytes: number) => Uint8Array;
  readonly log: Log;
}

export declare function createCollectionService(options: CollectionServiceOptions): CollectionService;
