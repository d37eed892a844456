import type { Value } from "#protocol/values";
import { isObjectValue } from "#protocol/values";
import { anything, type Member, NEVER, type ObjectShape, type Shape } from "./shape.ts";

/** Names at one place that are told apart. */
const MOST_NAMES = 1000;

/** What was seen at one place of documents: names and classes, and no value. */
export class Seen {
  #count = 0;
  readonly #classes = new Set<"null" | "boolean" | "number" | "int64" | "string" | "date" | "binary">();
  #elements: Seen | undefined;
  #objects = 0;
  readonly #members = new Map<string, Seen>();
  /** What stood under names beyond those that are told apart. */
  #further: Seen | undefined;
  #shape: Shape<Seen> | undefined;

  add(value: Value): void {
    this.#count++;
    if (Array.isArray(value)) {
      this.#elements ??= new Seen();
      for (const item of value as readonly Value[]) this.#elements.add(item);
    } else if (isObjectValue(value)) {
      this.#objects++;
      for (const [name, member] of Object.entries(value)) this.#member(name).add(member);
    } else this.#classes.add(classOf(value));
  }

  /** As long as nothing is added any more. Members by name, so that the next document changes little. */
  shape(): Shape<Seen> {
    this.#shape ??= this.#count === 0 ? anything({ any: this }) : this.#made();
    return this.#shape;
  }

  #made(): Shape<Seen> {
    const has = (name: "null" | "boolean" | "number" | "int64" | "string" | "date" | "binary") =>
      this.#classes.has(name);
    return {
      ...NEVER,
      ...{ null: has("null"), date: has("date"), binary: has("binary") },
      ...(has("boolean") && { boolean: "all" }),
      ...(has("number") && { number: "all" }),
      ...(has("int64") && { int64: "all" }),
      ...(has("string") && { string: "all" }),
      arrays: this.#elements ? [{ prefix: [], min: 0, rest: this.#elements }] : [],
      objects: this.#objects > 0 ? [this.#object()] : [],
    };
  }

  #member(name: string): Seen {
    const known = this.#members.get(name);
    if (known) return known;
    if (this.#members.size >= MOST_NAMES) {
      this.#further ??= new Seen();
      return this.#further;
    }
    const seen = new Seen();
    this.#members.set(name, seen);
    return seen;
  }

  #object(): ObjectShape<Seen> {
    const data = this.#dataNames();
    const members = new Map<string, Member<Seen>>();
    for (const name of [...this.#members.keys()].filter((name) => !data.has(name)).sort()) {
      const place = this.#members.get(name) as Seen;
      const optional = place.#count < this.#objects;
      members.set(name, { place, optional, ...(optional && { note: shareNote(place.#count / this.#objects) }) });
    }
    if (data.size === 0) return { members, rest: members.size === 0 ? "open" : "closed" };
    return { members, rest: [this.#together(data)] };
  }

  /** The names that are data themselves, as in counts by user. */
  #dataNames(): ReadonlySet<string> {
    const names = [...this.#members.keys()];
    if (this.#further) return new Set(names);
    let present = 0;
    for (const seen of this.#members.values()) present += seen.#count;
    const rare = present / (names.length * this.#objects) < RARELY;
    if (names.length > FEW && rare) return new Set(names);
    if (names.length > MANY && this.#together(new Set(names)).#kinds === 1) return new Set(names);
    return new Set(names.filter(looksLikeData));
  }

  get #kinds(): number {
    return this.#classes.size + (this.#elements ? 1 : 0) + (this.#objects > 0 ? 1 : 0);
  }

  #together(names: ReadonlySet<string>): Seen {
    const all = new Seen();
    for (const [name, seen] of this.#members) if (names.has(name)) all.#merge(seen);
    if (this.#further) all.#merge(this.#further);
    return all;
  }

  static #either(mine: Seen | undefined, other: Seen | undefined): Seen | undefined {
    if (!other) return mine;
    const all = mine ?? new Seen();
    all.#merge(other);
    return all;
  }

  #merge(other: Seen): void {
    this.#count += other.#count;
    this.#objects += other.#objects;
    for (const one of other.#classes) this.#classes.add(one);
    this.#elements = Seen.#either(this.#elements, other.#elements);
    for (const [name, member] of other.#members) this.#member(name).#merge(member);
    this.#further = Seen.#either(this.#further, other.#further);
  }
}

/** More different names than this, each of them rarely there, are data. */
const FEW = 32;
const RARELY = 0.1;
/** So are more than this, whatever is under them being of one kind. */
const MANY = 64;

/** Names that nobody gives a field: ids, addresses, dates and times, long numbers. */
function looksLikeData(name: string): boolean {
  return (
    name.length > 64 ||
    /\S@\S|:\/\//.test(name) ||
    /^\d{4}-\d\d|^\d\d?:\d\d|^[+-]?\d{5,}$/.test(name) ||
    /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-/i.test(name) ||
    (/^[\w-]{16,}$/.test(name) && /\d/.test(name) && /\d.*[a-z].*\d.*[a-z]/i.test(name))
  );
}

/** In steps, so that the file stays as it is when one more document comes. */
function shareNote(share: number): string {
  const percent = Math.round(share * 20) * 5;
  if (percent === 0) return "In few of the documents that were looked at.";
  return percent === 100
    ? "In nearly all of the documents that were looked at."
    : `In about ${percent} % of the documents that were looked at.`;
}

function classOf(value: Value) {
  if (value === null) return "null";
  if (value instanceof Date) return "date";
  if (value instanceof Uint8Array) return "binary";
  switch (typeof value) {
    case "bigint":
      return "int64";
    case "boolean":
    case "number":
    case "string":
      return typeof value as "boolean" | "number" | "string";
    default:
      throw new Error("arrays and objects are looked into");
  }
}
