import { Faults } from "#protocol/errors";
import { compareKeys, parseSort } from "#protocol/sort";
import type { Value } from "#protocol/values";
import { type ListOutcome, WindowList } from "../../server/realtime/windows/window.ts";
import { type ListChange, type ListRow, listRow } from "../../server/realtime/windows/window-row.ts";
import type { Random } from "./trap-pool.ts";

/** Few, so that keys tie; every class that orders in its own way. */
const VALUES: readonly Value[] = [
  ...[null, 0, 1, 1n, 2, -1.5, 2 ** 53, 2n ** 53n + 1n, "", "a", "b", "\uffff", "😀", false, true],
  ...[new Date(0), new Date(1), new Uint8Array([1]), new Uint8Array([0, 0]), { b: 1 }, { b: 2 }],
  ...[[], [1, 2], [2, "a"], [[1]], [null]],
];
/** Documents, what find would answer, and a client that has only seen deltas. */
export class WindowModel {
  readonly #random: Random;
  readonly #sort;
  readonly #limit: number;
  readonly #list: WindowList;
  readonly #ids: readonly string[];
  /** Rows of the documents that the filter accepts. */
  readonly #accepted = new Map<string, ListRow>();
  #client: Seen[] = [];
  #told = { more: false, short: false };
  #held = new Set<string>();
  #version = 0;
  /** Commits since the rows of a refill were read. */
  #refill: { rows: ListRow[]; more: boolean; since: ListChange[][]; left: number } | undefined;
  readonly #faults: string[] = [];
  readonly #counts = { refills: 0, short: 0, silent: 0 };
  /** Of a hundred writes, how many take the document out: there are times of growth and of decline. */
  #decline = 20;

  constructor(random: Random, { limit, sort }: { limit: number; sort: string }) {
    this.#random = random;
    this.#sort = sortOf(sort);
    this.#limit = limit;
    this.#list = new WindowList(this.#sort, limit);
    const documents = this.#list.capacity + random.below(this.#list.capacity);
    this.#ids = Array.from({ length: documents }, (_, n) => `${random.pick(["a", "B", "~", "0"])}${n}`);
    for (const id of this.#ids) this.#change(id);
    const { rows, more } = this.#read();
    this.#keep(this.#list.load(rows, more));
    this.#client = rows.slice(0, limit);
    this.#told = { more: this.#list.more, short: this.#list.short };
    this.#check("after the load");
  }

  /** @returns how many documents it changed */
  commit(size: number): number {
    if (this.#random.chance(10)) this.#decline = this.#random.pick([5, 20, 50, 90]);
    // Whole beginnings vanish too, or a list would hardly ever run short.
    const first = this.#random.chance(15) ? this.#fresh().slice(0, this.#random.below(this.#list.capacity)) : [];
    const gone = first.map(({ id }) => this.#remove(id));
    const chosen = this.#random.some(this.#ids, size).filter((id) => !gone.some((change) => change.id === id));
    const changes = [...gone, ...chosen.map((id) => this.#change(id))];
    const before = this.#client;
    const outcome = this.#list.apply(changes);
    this.#keep(outcome);
    this.#fold(outcome);
    if (!outcome.delta && describe(before) !== describe(this.#list.visible)) this.#faults.push("a silent change");
    if (outcome.delta && this.#empty(before, outcome)) this.#faults.push("told without a change");
    if (!outcome.delta) this.#counts.silent++;
    if (this.#random.chance(5)) {
      this.#keep(this.#list.apply(changes));
      if (describe(this.#list.visible) !== describe(this.#client)) this.#faults.push("applied twice, it changes more");
    }
    this.#refill?.since.push(changes);
    this.#check(`after ${changes.map(({ id, row }) => `${id}${row ? "" : " out"}`).join(", ")}`);
    this.#mayRefill();
    return changes.length;
  }

  addTo(counts: { refills: number; short: number; silent: number }, faults: string[], name: string): void {
    counts.refills += this.#counts.refills;
    counts.short += this.#counts.short;
    counts.silent += this.#counts.silent;
    if (this.#faults[0]) faults.push(`${name}: ${this.#faults[0]}`);
  }

  /** Writes a document that the filter accepts, or deletes it, or writes what the filter does not accept. */
  #change(id: string): ListChange {
    if (this.#random.chance(this.#decline)) return this.#remove(id);
    const [a, b] = [this.#random.pick(VALUES), this.#random.pick(VALUES.filter((value) => !Array.isArray(value)))];
    const created = new Date(this.#random.below(5));
    const value = { _id: id, ...(this.#random.chance(80) ? { a } : {}), b, _createdAt: created };
    const row = listRow(this.#sort, { id, version: ++this.#version, value });
    this.#accepted.set(id, row);
    return { id, row };
  }

  #remove(id: string): ListChange {
    this.#accepted.delete(id);
    return { id, row: undefined };
  }

  #fresh(): ListRow[] {
    return [...this.#accepted.values()].sort((a, b) => compareKeys(this.#sort, a.key, b.key));
  }

  #read(): { rows: ListRow[]; more: boolean } {
    const fresh = this.#fresh();
    return { rows: fresh.slice(0, this.#list.capacity), more: fresh.length > this.#list.capacity };
  }

  /** A refill is read now and comes some commits later. */
  #mayRefill(): void {
    if (this.#refill && this.#refill.left-- <= 0) {
      const { rows, more, since } = this.#refill;
      this.#refill = undefined;
      const outcome = this.#list.refill(rows, more, since);
      this.#keep(outcome);
      this.#fold(outcome);
      this.#counts.refills++;
      this.#check("after a refill");
    }
    if (this.#list.wantsRefill && !this.#refill && this.#random.chance(60)) {
      this.#refill = { ...this.#read(), since: [], left: this.#random.below(4) };
    }
  }

  #keep({ entered, left }: { entered: readonly string[]; left: readonly string[] }): void {
    if (entered.some((id) => this.#held.has(id))) this.#faults.push("entered what it held");
    if (left.some((id) => !this.#held.delete(id))) this.#faults.push("left what it did not hold");
    for (const id of entered) this.#held.add(id);
  }

  #fold({ delta }: ListOutcome): void {
    if (!delta) return;
    this.#client = fold(this.#client, delta, (fault) => this.#faults.push(fault));
    this.#told = { more: delta.more ?? this.#told.more, short: delta.short ?? this.#told.short };
  }

  #empty(before: readonly Seen[], { delta }: ListOutcome): boolean {
    return describe(before) === describe(this.#client) && delta?.more === undefined && delta?.short === undefined;
  }

  #check(when: string): void {
    const list = this.#list;
    const fresh = this.#fresh();
    const whole = describe(fresh.slice(0, this.#limit));
    const shown = describe(list.visible);
    const complete = list.short ? list.visible.length : this.#limit;
    const laws: Record<string, boolean> = {
      "the visible rows are those of a fresh query": shown === describe(fresh.slice(0, complete)),
      "a short list has fewer rows": list.short ? list.visible.length < this.#limit : shown === whole,
      "what is shown folds to what is visible": describe(this.#client) === shown,
      "more and short are as told": this.#told.more === list.more && this.#told.short === list.short,
      "more is known but until a refill": list.wantsRefill || list.more === fresh.length > this.#limit,
      "a short list asks for a refill": !list.short || list.wantsRefill,
      "it holds the first documents and no other": sameSet(fresh.slice(0, list.size), list.ids),
      "it knows what it holds": this.#held.size === list.size && [...list.ids].every((id) => this.#held.has(id)),
      "it holds no more than it may": list.size <= list.capacity,
    };
    if (list.short) this.#counts.short++;
    for (const [law, holds] of Object.entries(laws)) if (!holds) this.#faults.push(`${law}, ${when}`);
  }
}

type Seen = Pick<ListRow, "id" | "version">;

/** Frames.ts `Delta`, to the letter. */
function fold(
  rows: readonly Seen[],
  { rm, up }: { rm: readonly string[]; up: readonly (readonly [number, ListRow])[] },
  fault: (text: string) => void,
): Seen[] {
  const out = new Set([...rm, ...up.map(([, row]) => row.id)]);
  if (out.size !== rm.length + up.length) fault("a document is named twice");
  const folded: Seen[] = rows.filter(({ id }) => !out.has(id));
  let last = -1;
  for (const [index, row] of up) {
    if (index <= last || index > folded.length) fault(`the index ${index} follows ${last} of ${folded.length}`);
    folded.splice(index, 0, row);
    last = index;
  }
  return folded;
}

function describe(rows: readonly Seen[]): string {
  return rows.map(({ id, version }) => `${id}@${version}`).join(" ");
}

function sameSet(rows: readonly ListRow[], ids: Iterable<string>): boolean {
  const set = new Set(ids);
  return set.size === rows.length && rows.every(({ id }) => set.has(id));
}

export function sortOf(text: string) {
  const faults = new Faults();
  const sort = parseSort(text === "" ? undefined : text, "sort", faults);
  faults.throwIfAny();
  return sort;
}
