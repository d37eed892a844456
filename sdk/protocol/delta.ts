import type { Delta } from "./frames.ts";

/** A document as a result holds it. */
export interface Versioned {
  readonly _id: string;
  readonly _v: number;
}

/**
 * The rows after a delta: what it takes out and what it puts in are taken out, then what it puts in is inserted in rising
 * order, each at its final index (live-queries.md 7.1). Applying a delta twice changes nothing more.
 *
 * @param keep what to put in for a document that the rows may hold already
 * @returns a new list; the same one if nothing is taken out or put in
 */
export function applyDelta<D extends Versioned>(
  rows: readonly D[],
  { rm = [], up = [] }: Delta<D>,
  keep: (held: D | undefined, document: D) => D = (_, document) => document,
): readonly D[] {
  if (rm.length === 0 && up.length === 0) return rows;
  // Mostly a document changes where it stands.
  if (rm.length === 0 && up.every(([index, { _id }]) => rows[index]?._id === _id)) {
    const result = rows.slice();
    for (const [index, document] of up) result[index] = keep(rows[index], document);
    return result;
  }
  const out = new Map<string, D | undefined>();
  for (const id of rm) out.set(id, undefined);
  for (const [, { _id }] of up) out.set(_id, undefined);
  const result: D[] = [];
  for (const row of rows) {
    if (out.has(row._id)) out.set(row._id, row);
    else result.push(row);
  }
  for (const [index, document] of up) result.splice(index, 0, keep(out.get(document._id), document));
  return result;
}

/**
 * The version of a document by its `_v`, as both ends count it. Another program may have stored it as an int64; what it
 * stored without one, or with an odd one, is at version 1.
 */
export function versionOf(stored: unknown): number {
  const version = typeof stored === "bigint" ? Number(stored) : stored;
  return typeof version === "number" && Number.isSafeInteger(version) && version > 0 ? version : 1;
}

const PRIME = 0x01000193;

/**
 * A hash of the rows of a result, 16 hex digits: two runs of FNV-1a with different starts. Not cryptographic: who forges it
 * deceives only themselves (live-queries.md 7.5, and decision 0045 for what is hashed).
 *
 * @param rows the JSON text of each, in order, as the server tells it
 */
export function resultHash(rows: readonly string[]): string {
  let a = 0x811c9dc5;
  let b = 0x2f0b4c47;
  for (const row of rows) {
    for (let i = 0; i <= row.length; i++) {
      // What ends a row is above every UTF-16 unit.
      const unit = i < row.length ? row.charCodeAt(i) : 0x10000;
      a = Math.imul(a ^ unit, PRIME);
      a ^= a >>> 13;
      b = Math.imul(b ^ (unit + 0x9e37), PRIME);
      b ^= b >>> 15;
    }
  }
  return hex(a) + hex(b);
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, "0");
}
