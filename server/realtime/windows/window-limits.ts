/** live-queries.md 6, 8 and 10. */
export interface WindowLimits {
  /** Loads and refills at once. */
  readonly loads: number;
  /** Questions that no value can find, of all and of one asker; live-queries.md 5. */
  readonly residual: number;
  readonly residualEach: number;
  /** Values that are computed for the first time at once: slow ones hold up no list. */
  readonly firstValues: number;
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
  /** Milliseconds before a read that failed is tried again; each time twice as long. */
  readonly retry: number;
}

export const WINDOW_LIMITS: WindowLimits = {
  loads: 16,
  residual: 2000,
  residualEach: 100,
  firstValues: 4,
  texts: 64 * 1024 * 1024,
  keptCommits: 1000,
  refill: 100,
  value: 1000,
  linger: 30_000,
  values: 50,
  audit: 10_000,
  retry: 50,
};
