import type { Versioned } from "../protocol/delta.ts";
import type { Change } from "../types/live.ts";

const NONE: readonly never[] = [];

/**
 * What is different between two lists, net: what went by its old place, then what came, moved or changed by its new one.
 * Documents are the same if they are one object.
 */
export function changesOf<D extends Versioned>(before: readonly D[], after: readonly D[]): readonly Change<D[]>[] {
  if (before === after) return NONE;
  const { gone, came } = differentOf(before, after);
  const places = new Map<string, number>();
  for (const from of gone) places.set((before[from] as D)._id, from);
  const arrived: Change<D[]>[] = [];
  for (const to of came) {
    const document = after[to] as D;
    const id = document._id;
    const from = places.get(id) ?? -1;
    const type = from < 0 ? "added" : before[from] === document ? "moved" : "updated";
    arrived.push({ type, id, document, from, to } as Change<D[]>);
    places.delete(id);
  }
  const removed: Change<D[]>[] = [];
  for (const [id, from] of places) {
    removed.push({ type: "removed", id, document: before[from], from, to: -1 } as Change<D[]>);
  }
  return [...removed, ...arrived];
}

/** The same of what states show: lists, single documents, or values, which have no changes. */
export function changesBetween<R>(before: R | undefined, after: R | undefined): readonly Change<R>[] {
  return changesOf(rowsOf(before), rowsOf(after)) as readonly Change<unknown>[] as readonly Change<R>[];
}

function rowsOf(data: unknown): readonly Versioned[] {
  if (Array.isArray(data)) return data;
  return typeof data === "object" && data !== null && "_id" in data ? [data as Versioned] : NONE;
}

/** The places, in both lists, of all but the rows that neither changed nor moved. */
interface Different {
  readonly gone: readonly number[];
  readonly came: readonly number[];
}

function differentOf<D>(before: readonly D[], after: readonly D[]): Different {
  const beside = besideOf(before, after);
  const gone = new Set(beside.gone.map((from) => before[from]));
  // What is in both has moved, or several came or went before it.
  return beside.came.some((to) => gone.has(after[to])) ? leastOf(before, after) : beside;
}

/** In one pass that looks one place ahead: what comes, goes or changes by itself, as most does. */
function besideOf<D>(before: readonly D[], after: readonly D[]): Different {
  const gone: number[] = [];
  const came: number[] = [];
  let from = 0;
  let to = 0;
  while (from < before.length || to < after.length) {
    if (before[from] === after[to]) {
      from++;
      to++;
      continue;
    }
    const comes = from === before.length || before[from] === after[to + 1];
    const goes = !comes && (to === after.length || before[from + 1] === after[to]);
    if (!goes) came.push(to++);
    if (!comes) gone.push(from++);
  }
  return { gone, came };
}

/** A row that is the same object in both lists, and where it stands. */
interface Kept {
  readonly from: number;
  readonly to: number;
}

interface Ranked extends Kept {
  readonly before: Ranked | undefined;
}

/** The fewest: what stays is the longest run of the same rows that has kept its order. */
function leastOf<D>(before: readonly D[], after: readonly D[]): Different {
  const places = new Map(before.map((row, from) => [row, from]));
  const kept = after.map((row, to) => ({ from: places.get(row) ?? -1, to })).filter(({ from }) => from >= 0);
  const gone: number[] = [];
  const came: number[] = [];
  let from = 0;
  let to = 0;
  for (const still of [...longestRun(kept), { from: before.length, to: after.length }]) {
    while (from < still.from) gone.push(from++);
    while (to < still.to) came.push(to++);
    from++;
    to++;
  }
  return { gone, came };
}

/** The best run of each length ends with its smallest last row, which knows the one before it. O(n log n). */
function longestRun(kept: readonly Kept[]): readonly Kept[] {
  const ends: Ranked[] = [];
  for (const one of kept) {
    let low = 0;
    let high = ends.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((ends[middle] as Ranked).from < one.from) low = middle + 1;
      else high = middle;
    }
    ends[low] = { ...one, before: ends[low - 1] };
  }
  const run: Kept[] = [];
  for (let one = ends.at(-1); one; one = one.before) run.push(one);
  return run.reverse();
}
