import type { Versioned } from "../protocol/delta.ts";
import type { Change } from "../types/live.ts";

const NONE: readonly never[] = [];

/**
 * What is different between two lists, net: what went by its old place, then what came, moved or changed by its new one.
 * Documents are the same if they are one object.
 */
export function changesOf<D extends Versioned>(before: readonly D[], after: readonly D[]): readonly Change<D[]>[] {
  if (before === after) return NONE;
  const updated = updatedOf(before, after);
  if (updated) return updated;
  const old = new Map(before.map((document, from) => [document._id, { document, from }]));
  const now = new Set(after.map(({ _id }) => _id));
  const still = stillOf(after, old);
  const gone = before.flatMap((document, from) =>
    now.has(document._id) ? [] : [{ type: "removed" as const, id: document._id, document, from, to: -1 }],
  );
  const come = after.flatMap((document, to) => {
    const id = document._id;
    if (still.has(id)) return [];
    const held = old.get(id);
    const type = held ? (held.document === document ? "moved" : "updated") : "added";
    return [{ type, id, document, from: held?.from ?? -1, to } as const];
  });
  return [...gone, ...come];
}

/** What is another version, where all stand in their old places, as they mostly do; undefined if not. */
function updatedOf<D extends Versioned>(before: readonly D[], after: readonly D[]): readonly Change<D[]>[] | undefined {
  if (before.length !== after.length) return undefined;
  const updated: Change<D[]>[] = [];
  for (let at = 0; at < after.length; at++) {
    const document = after[at] as D;
    const old = before[at] as D;
    if (old === document) continue;
    if (old._id !== document._id) return undefined;
    updated.push({ type: "updated", id: old._id, document, from: at, to: at } as Change<D[]>);
  }
  return updated;
}

/** The same of what states show: lists, single documents, or values, which have no changes. */
export function changesBetween<R>(before: R | undefined, after: R | undefined): readonly Change<R>[] {
  return changesOf(rowsOf(before), rowsOf(after)) as readonly Change<unknown>[] as readonly Change<R>[];
}

function rowsOf(data: unknown): readonly Versioned[] {
  if (Array.isArray(data)) return data;
  return typeof data === "object" && data !== null && "_id" in data ? [data as Versioned] : NONE;
}

/** A document and where it stood. */
interface Place<D> {
  readonly document: D;
  readonly from: number;
}

/**
 * The most rows that neither changed nor moved: of those that are the same object in both lists, the longest run that has
 * kept its order.
 */
function stillOf<D extends Versioned>(after: readonly D[], before: ReadonlyMap<string, Place<D>>): ReadonlySet<string> {
  // By patience: the last of each pile ends the best run of its length. O(n log n).
  const piles: { readonly from: number; readonly id: string; readonly under: number }[][] = [];
  for (const document of after) {
    const held = before.get(document._id);
    if (held?.document !== document) continue;
    let low = 0;
    let high = piles.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((piles[middle]?.at(-1)?.from ?? 0) < held.from) low = middle + 1;
      else high = middle;
    }
    const pile = piles[low] ?? [];
    piles[low] = pile;
    pile.push({ from: held.from, id: document._id, under: (piles[low - 1]?.length ?? 0) - 1 });
  }
  const still = new Set<string>();
  let at = (piles.at(-1)?.length ?? 0) - 1;
  for (let i = piles.length - 1; i >= 0; i--) {
    const one = piles[i]?.[at];
    if (!one) break;
    still.add(one.id);
    at = one.under;
  }
  return still;
}
