import { type Found, type Rank, rankOf } from "#protocol/compare";
import { own, type Path, someValue } from "#protocol/paths";
import type { ObjectValue, Value } from "#protocol/values";
import { flat, type Order, orderOf } from "./edges.ts";
import type { Entry } from "./entries.ts";
import { Groups } from "./groups.ts";
import { SpanTree } from "./span-tree.ts";
import { scalarKey, structureKey } from "./value-key.ts";

/** All entries on one path of a collection. */
export class PathIndex<E extends object> {
  readonly #path: Path;
  readonly #scalars = new Groups<unknown, E>();
  readonly #dates = new Groups<number, E>();
  readonly #structures = new Groups<string, E>();
  readonly #spans = new Map<Rank, MetSpans<E>>();
  /** Where {@link meet} tells what it finds; one at a time. */
  #found: (item: E) => void = ignore;

  constructor(path: Path) {
    this.#path = path;
  }

  get empty(): boolean {
    const groups = this.#scalars.size + this.#dates.size + this.#structures.size;
    return groups === 0 && this.#spans.size === 0;
  }

  add(entry: Entry, item: E): void {
    if (entry.kind === "value") this.#change("add", entry.value, item);
    else {
      const spans = this.#spans.get(entry.rank) ?? new MetSpans(orderOf(entry.rank));
      this.#spans.set(entry.rank, spans);
      spans.tree.add(entry.span, item);
    }
  }

  remove(entry: Entry, item: E): void {
    if (entry.kind === "value") this.#change("remove", entry.value, item);
    else {
      const spans = this.#spans.get(entry.rank);
      spans?.tree.remove(entry.span, item);
      if (spans?.tree.empty) this.#spans.delete(entry.rank);
    }
  }

  /** How many items stand under a value. */
  count(value: Value): number {
    if (!isObject(value)) return this.#scalars.count(scalarKey(value));
    if (value instanceof Date) return this.#dates.count(value.getTime());
    return this.#structures.count(structureKey(value));
  }

  /** Visits the items under what the path yields from a document; an item may be visited more than once. */
  meet(document: ObjectValue, found: (item: E) => void): void {
    this.#found = found;
    const first = own(document, this.#path[0] as string);
    // What the path yields of a value that it does not go on from is that value: most of them.
    if (this.#path.length === 1 && !Array.isArray(first)) this.#meetValue(first);
    else someValue(first, this.#path, true, this.#meetValue, 1);
    if (this.#spans.size > 0) for (const spans of this.#spans.values()) spans.meet(found);
    this.#found = ignore;
  }

  /** Visits the items that a document meets which lacks the path's first field. */
  meetMissing(found: (item: E) => void): void {
    this.#scalars.each(null, found);
  }

  readonly #meetValue = (value: Found): boolean => {
    if (!isObject(value)) this.#scalars.each(scalarKey(value), this.#found);
    else if (value instanceof Date) this.#dates.each(value.getTime(), this.#found);
    else if (this.#structures.size > 0) this.#structures.each(structureKey(value), this.#found);
    if (this.#spans.size > 0) this.#spans.get(rankOf(value))?.widen(value as Value);
    return false;
  };

  #change(how: "add" | "remove", value: Value, item: E): void {
    if (!isObject(value)) this.#scalars[how](scalarKey(value), item);
    else if (value instanceof Date) this.#dates[how](value.getTime(), item);
    else this.#structures[how](structureKey(value), item);
  }
}

/** Spans of one class, and the least and greatest value of that class that a document has. */
class MetSpans<E extends object> {
  readonly tree: SpanTree<E>;
  readonly #order: Order;
  #least: Value | undefined;
  #greatest: Value | undefined;

  constructor(order: Order) {
    this.#order = order;
    this.tree = new SpanTree(order);
  }

  widen(met: Value): void {
    const value = flat(met);
    if (this.#least === undefined || this.#order(value, this.#least) < 0) this.#least = value;
    if (this.#greatest === undefined || this.#order(value, this.#greatest) > 0) this.#greatest = value;
  }

  meet(found: (item: E) => void): void {
    if (this.#least === undefined || this.#greatest === undefined) return;
    this.tree.meeting(this.#least, this.#greatest, found);
    this.#least = undefined;
    this.#greatest = undefined;
  }
}

function isObject(value: Found): value is Exclude<Value, string | number | bigint | boolean | null> {
  return typeof value === "object" && value !== null;
}

function ignore(): void {}
