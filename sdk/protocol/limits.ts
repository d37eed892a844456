/**
 * The limits of the language, which are the same on every server so that a document or query that one accepts is
 * accepted by all (http-api.md "Limits"). Limits of load are settings and live in the server.
 */
export const LIMITS = {
  /** UTF-8 bytes of a document's canonical text. */
  documentBytes: 1024 * 1024,
  /** Levels of nesting; the document itself is level 1. */
  documentDepth: 32,
  /** Bytes of one binary value. */
  binaryBytes: 256 * 1024,
  /** Characters of a document id. */
  idLength: 128,
  /** Segments, and UTF-8 bytes, of a path. */
  pathSegments: 16,
  pathBytes: 512,
  /** UTF-8 bytes of a filter's JSON text, nested operators, tests, entries of one list of branches, `$in` values. */
  filterBytes: 16 * 1024,
  filterDepth: 8,
  filterNodes: 100,
  filterBranches: 32,
  inValues: 256,
  /** Characters of a `$startsWith`, `$endsWith` or `$contains` text. */
  textOperand: 256,
  sortKeys: 4,
  /** Encoded bytes of one key tuple, of a sort or an index. */
  keyBytes: 2048,
  pageDefault: 50,
  pageMax: 1000,
  selectPaths: 32,
  countDefault: 10_000,
  countMax: 100_000,
  distinctValues: 1000,
  groupPaths: 4,
  aggregateOutputs: 8,
  groupsReturned: 1000,
  groupsHeld: 10_000,
  expandRefs: 4,
  expandIds: 1000,
  updatePaths: 256,
  /** Array elements that the paths of one update may visit or add in one document, all taken together. */
  updateElements: 500_000,
  /** How many nulls one `$set` beyond an array's end may add. */
  arrayGap: 1000,
  batchOperations: 500,
  indexPaths: 4,
  indexesPerCollection: 32,
} as const;
