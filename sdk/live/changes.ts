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
  const places = new Map<string, number>();
  for (let at = 0; at < before.length; at++) places.set((before[at] as D)._id, at);
  const from = after.map(({ _id }) => places.get(_id) ?? -1);
  const still = stillOf(before, after, from);
  const stays: boolean[] = [];
  for (const at of from) if (at >= 0) stays[at] = true;
  const changes: Change<D[]>[] = [];
  before.forEach((document, from) => {
    if (!stays[from]) changes.push({ type: "removed", id: document._id, document, from, to: -1 } as Change<D[]>);
  });
  after.forEach((document, to) => {
    if (still[to]) return;
    const at = from[to] as number;
    const type = at < 0 ? "added" : before[at] === document ? "moved" : "updated";
    changes.push({ type, id: document._id, document, from: at, to } as Change<D[]>);
  });
  return changes;
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

/** A row that is the same object in both lists, and where it stands. */
interface Kept {
  readonly from: number;
  readonly to: number;
}

/** By their new places, the most rows that neither changed nor moved: the longest run of the same that has kept its order. */
function stillOf<D>(before: readonly D[], after: readonly D[], places: readonly number[]): readonly boolean[] {
  const same = after.map((document, to) => before[places[to] as number] === document);
  let last = -1;
  const isInOrder = same.every((is, to) => {
    const from = is ? (places[to] as number) : last;
    const isBehind = from >= last;
    last = from;
    return isBehind;
  });
  // As they mostly are.
  if (isInOrder) return same;
  const kept = places.map((from, to) => ({ from, to })).filter(({ to }) => same[to]);
  const still: boolean[] = [];
  for (const { to } of longestRun(kept)) still[to] = true;
  return still;
}

/** By patience: the last of each pile ends the best run of its length. O(n log n). */
function longestRun(kept: readonly Kept[]): readonly Kept[] {
  const piles: (Kept & { readonly under: number })[][] = [];
  for (const one of kept) {
    let low = 0;
    let high = piles.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((piles[middle]?.at(-1)?.from ?? 0) < one.from) low = middle + 1;
      else high = middle;
    }
    const pile = piles[low] ?? [];
    piles[low] = pile;
    pile.push({ ...one, under: (piles[low - 1]?.length ?? 0) - 1 });
  }
  const run: Kept[] = [];
  let at = (piles.at(-1)?.length ?? 0) - 1;
  for (let i = piles.length - 1; i >= 0; i--) {
    const one = piles[i]?.[at];
    if (!one) break;
    run.push(one);
    at = one.under;
  }
  return run;
}
