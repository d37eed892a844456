import type { Log } from "../log.ts";
import type { DocumentStore } from "../stores/document-store.ts";
import type { DocumentService } from "./contract.ts";
import type { Definitions } from "./definitions.ts";

export interface DocumentServiceOptions {
  readonly store: DocumentStore;
  readonly definitions: Definitions;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  /** That many random bytes. */
  readonly random: (bytes: number) => Uint8Array;
  readonly log: Log;
  /** The server's secrets, newest first: cursors are signed with the first and read with any. */
  readonly secrets: readonly string[];
  /** Development mode: pages carry advice, and missing indexes are declared by themselves. */
  readonly development: boolean;
}

/** Documents as transport asks for them. `close` ends what runs in the background. */
export declare function createDocumentService(
  options: DocumentServiceOptions,
): Promise<DocumentService & { close(): Promise<void> }>;
