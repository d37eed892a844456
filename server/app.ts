import type { Readable } from "node:stream";
import type { Config } from "./config.ts";
import type { CollectionService, DocumentService } from "./documents/contract.ts";
import type { DocumentStore } from "./stores/document-store.ts";

/** One Galley: its stores, its services and the HTTP server in front of them. */
export interface App {
  readonly config: Config;
  /** A service key that may do everything, valid as long as this app runs. */
  readonly key: string;
  readonly store: DocumentStore;
  readonly documents: DocumentService;
  readonly collections: CollectionService;
  /** Opens the port. Resolves to the address as clients on this machine reach it. */
  listen(): Promise<{ url: string }>;
  /** Answers one request as the port would, without a socket. */
  request(request: AppRequest): Promise<AppReply>;
  /** Answers what is in flight, then ends everything. Repeating it waits for the same end. */
  close(): Promise<void>;
}

export interface AppRequest {
  readonly method: string;
  /** Path and query, as in `/v1/documents/posts?limit=10`. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array>;
}

export interface AppReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | number | undefined>>;
  readonly body: Readable;
}

/** What tests replace. */
export interface Overrides {
  /** Epoch milliseconds. */
  readonly clock?: () => number;
  /** That many random bytes. */
  readonly random?: (bytes: number) => Uint8Array;
}

/** Picks the stores, builds the services by hand, in order, and mounts the transport. START HERE. */
export declare function createApp(config: Config, overrides?: Overrides): Promise<App>;
