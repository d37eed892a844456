import type { Log } from "../log.ts";
import type { DocumentStore } from "../stores/document-store.ts";
import type { Windows } from "./contract.ts";
import type { LiveTail } from "./live-tail.ts";

export interface WindowsOptions {
  readonly store: Pick<DocumentStore, "find" | "passed">;
  /** Windows follow it as its step `windows`. */
  readonly tail: LiveTail;
  readonly log: Log;
  readonly random: (bytes: number) => Uint8Array;
  readonly limits?: Partial<WindowLimits>;
}

/** live-queries.md 6, 8 and 10. */
export interface WindowLimits {
  /** Loads and refills at once. */
  readonly loads: number;
  /** Characters of documents' texts that are kept. */
  readonly texts: number;
  /** Commits that a load may be behind before it begins again. */
  readonly keptCommits: number;
  /** Milliseconds between refills of one window, between computing one value, and before a window that nobody watches ends. */
  readonly refill: number;
  readonly value: number;
  readonly linger: number;
  /** Milliseconds between two computed values of the node, and between audits. */
  readonly values: number;
  readonly audit: number;
}

export interface LiveWindows extends Windows {
  /** Plain numbers, for metrics. */
  readonly counters: Readonly<Record<string, number>>;
  /** Loads windows again and compares: one at random, or all that are live. Resolves to how many differed, and were reset. */
  audit(all?: boolean): Promise<number>;
  close(): void;
}

export declare function createWindows(options: WindowsOptions): LiveWindows;
