import type { SortKey } from "#protocol/ast";
import type { Key } from "#protocol/compare";
import { compareKeys } from "#protocol/sort";
import { deltaOf, difference, type ListDelta, type Move } from "./window-delta.ts";
import type { ListChange, ListRow } from "./window-row.ts";

/** What happened to a list. */
export interface ListOutcome extends Membership {
  /** Undefined: the visible rows, `more` and `short` are as they were. */
  readonly delta: ListDelta | undefined;
}

/** Ids that a list has begun to hold, and has ceased to; visible or not. */
export interface Membership {
  readonly entered: readonly string[];
  readonly left: readonly string[];
}

/**
 * The rows of one live query: the visible ones and a few beyond, so that a row that leaves has a successor at once
 * (live-queries.md 6). It knows ids, versions and keys; documents, time and sockets are others'.
 *
 * Its law: the list holds exactly the accepted documents whose key is at most the bound; without a bound, all of them.
 */
export class WindowList {
  readonly sort: readonly SortKey[];
  readonly limit: number;
  /** Rows that a load or refill reads: `limit` and some spare ones. */
  readonly capacity: number;
  #rows: ListRow[] = [];
  #byId = new Map<string, ListRow>();
  /** Beyond it there may be more documents, of which the list knows nothing. */
  #bound: readonly Key[] | undefined;

  /** @param sort ends with `_id` */
  constructor(sort: readonly SortKey[], limit: number) {
    this.sort = sort;
    this.limit = limit;
    this.capacity = limit + spareRows(limit);
  }

  /** The first `limit` rows. */
  get visible(): readonly ListRow[] {
    return this.#rows.slice(0, this.limit);
  }

  /** Ids of all rows, visible or not. */
  get ids(): Iterable<string> {
    return this.#byId.keys();
  }

  get size(): number {
    return this.#rows.length;
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  /** More documents follow after the visible ones, or, until a refill is in, may follow. */
  get more(): boolean {
    return this.#bound !== undefined || this.#rows.length > this.limit;
  }

  /** The visible rows are an exact beginning of the result; the others are beyond the bound. */
  get short(): boolean {
    return this.#bound !== undefined && this.#rows.length < this.limit;
  }

  /** Too few rows are left to know the visible ones and whether more follow: it has to be read again. */
  get wantsRefill(): boolean {
    return this.#bound !== undefined && this.#rows.length <= this.limit;
  }

  /**
   * Forgets what it holds and takes the result as it was read.
   *
   * @param rows the first `capacity` rows, in order
   * @param more whether others follow after them
   */
  load(rows: readonly ListRow[], more: boolean): Membership {
    const old = this.#byId;
    this.#rows = rows.slice(0, this.capacity);
    this.#byId = new Map(this.#rows.map((row) => [row.id, row]));
    this.#bound = more || rows.length > this.capacity ? this.#rows.at(-1)?.key : undefined;
    return membershipOf(old, this.#byId);
  }

  /** Applies what one commit changed. What it touched is told, whatever its version says: other programs may keep it. */
  apply(changes: readonly ListChange[]): ListOutcome {
    const moves = this.#movesOf(changes);
    if (moves.length === 0) return NOTHING;
    const { more, short } = this;
    const before = Math.min(this.limit, this.#rows.length);
    const wasVisible = moves.map(({ old }) => old !== undefined && this.#indexOf(old.key) < this.limit);
    for (const { old } of moves) if (old) this.#takeOut(old);
    for (const { next } of moves) if (next) this.#putIn(next);
    const cut = this.#cut();
    const placed = new Map<string, Move>();
    for (const [i, { id, next }] of moves.entries()) {
      const at = next ? this.#indexOf(next.key) : this.limit;
      placed.set(id, { id, wasVisible: wasVisible[i] as boolean, index: at < this.limit ? at : undefined });
    }
    const now = Math.min(this.limit, this.#rows.length);
    const delta = deltaOf({ moves: placed, before, now, rows: this.#rows, cut });
    const entered: string[] = [];
    const left = cut.filter(({ id }) => !placed.has(id)).map(({ id }) => id);
    for (const { id, old } of moves) {
      const held = this.#byId.has(id);
      if (old && !held) left.push(id);
      else if (!old && held) entered.push(id);
    }
    return { delta: this.#told(delta, more, short), entered, left };
  }

  /**
   * Takes what was read again in place of what it holds.
   *
   * @param rows the first `capacity` rows, in order, and whether `more` follow
   * @param since what commits changed after that read, up to where this list stands: all documents of the collection
   *   count, also those that the list does not hold
   */
  refill(rows: readonly ListRow[], more: boolean, since: readonly (readonly ListChange[])[] = []): ListOutcome {
    const fresh = new WindowList(this.sort, this.limit);
    fresh.load(rows, more);
    for (const changes of since) fresh.apply(changes);
    const before = { more: this.more, short: this.short, visible: this.visible };
    const membership = membershipOf(this.#byId, fresh.#byId);
    this.#rows = fresh.#rows;
    this.#byId = fresh.#byId;
    this.#bound = fresh.#bound;
    const delta = difference(this.sort, before.visible, this.visible);
    return { delta: this.#told(delta, before.more, before.short), ...membership };
  }

  /** Those of the changes that concern the list, one a document. */
  #movesOf(changes: readonly ListChange[]): { id: string; old: ListRow | undefined; next: ListRow | undefined }[] {
    const last = changes.length > 1 ? new Map(changes.map((change) => [change.id, change])).values() : changes;
    const moves = [];
    for (const { id, row } of last) {
      const old = this.#byId.get(id);
      const next = row && this.#reaches(row) ? row : undefined;
      if (old || next) moves.push({ id, old, next });
    }
    return moves;
  }

  #reaches({ key }: ListRow): boolean {
    return this.#bound === undefined || compareKeys(this.sort, key, this.#bound) <= 0;
  }

  /** The index of a key in the list, or where it would stand. */
  #indexOf(key: readonly Key[]): number {
    let low = 0;
    let high = this.#rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareKeys(this.sort, (this.#rows[middle] as ListRow).key, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #takeOut(row: ListRow): void {
    this.#rows.splice(this.#indexOf(row.key), 1);
    this.#byId.delete(row.id);
  }

  #putIn(row: ListRow): void {
    this.#rows.splice(this.#indexOf(row.key), 0, row);
    this.#byId.set(row.id, row);
  }

  /** What is too much is given up: from now on it is beyond the bound. */
  #cut(): readonly ListRow[] {
    if (this.#rows.length <= this.capacity) return [];
    const cut = this.#rows.splice(this.capacity);
    for (const { id } of cut) this.#byId.delete(id);
    this.#bound = this.#rows.at(-1)?.key;
    return cut;
  }

  #told({ rm, up }: ListDelta, more: boolean, short: boolean): ListDelta | undefined {
    if (rm.length === 0 && up.length === 0 && more === this.more && short === this.short) return undefined;
    return {
      rm,
      up,
      ...(more === this.more ? {} : { more: this.more }),
      ...(short === this.short ? {} : { short: this.short }),
    };
  }
}

const NOTHING: ListOutcome = Object.freeze({ delta: undefined, entered: [], left: [] });

/** How many rows a window holds beyond its visible ones. */
export function spareRows(limit: number): number {
  return Math.min(100, Math.max(10, Math.floor(limit / 2)));
}

function membershipOf(old: ReadonlyMap<string, unknown>, now: ReadonlyMap<string, unknown>): Membership {
  return {
    entered: [...now.keys()].filter((id) => !old.has(id)),
    left: [...old.keys()].filter((id) => !now.has(id)),
  };
}
