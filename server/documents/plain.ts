import { encodeBase64 } from "#protocol/base64";
import { parseDate } from "#protocol/dates";
import { LIMITS } from "#protocol/limits";
import { isNumericSegment } from "#protocol/paths";
import type { Value, ValueClass } from "#protocol/values";
import { parseInt64 } from "#protocol/values";
import type { Place, Places } from "./schema/places.ts";

/** Operators that combine filters; beside them stand paths. */
const LOGICAL: ReadonlySet<string> = new Set(["$and", "$or", "$nor"]);

/** JSON without tags, for `?types=plain`: dates as ISO text, int64 as digits, binary as base64; http-api.md. */
export function encodePlain(value: Value): string {
  return JSON.stringify(value, (_, member: unknown) => {
    // Dates arrive here as text already, by their toJSON.
    if (typeof member === "bigint") return String(member);
    return member instanceof Uint8Array ? encodeBase64(member) : member;
  });
}

/** Reads plain input: texts become tags where the schema declares a date, int64 or binary. Nothing else is touched. */
export class PlainReader {
  readonly #places: Places;

  constructor(places: Places) {
    this.#places = places;
  }

  document(body: unknown): unknown {
    return this.#value(body, this.#places.document, 1);
  }

  /** A filter, before it is parsed: what stands at a path becomes what the path holds. */
  filter(input: unknown, from?: Place, depth = 0): unknown {
    if (!isRecord(input) || depth > LIMITS.filterDepth) return input;
    return mapMembers(input, (key, operand) => {
      if (!key.startsWith("$")) return this.#test(operand, this.#at(key, from), depth);
      return Array.isArray(operand) ? operand.map((branch) => this.filter(branch, from, depth + 1)) : operand;
    });
  }

  /** An update: plain fields, or operators over paths. */
  update(body: unknown): unknown {
    if (!isRecord(body)) return body;
    return mapMembers(body, (key, operand) => {
      if (!key.startsWith("$")) return this.#value(operand, this.#at(key), 2);
      if (key === "$rename" || !isRecord(operand)) return operand;
      if (key === "$arrayFilters") {
        return mapMembers(operand, (name, inner) => this.#element(inner, this.#filtered(body, name), 1));
      }
      return mapMembers(operand, (path, inner) => this.#operand(key, inner, this.#at(path)));
    });
  }

  #operand(operator: string, operand: unknown, place: Place | undefined): unknown {
    switch (operator) {
      case "$push":
      case "$addToSet": {
        const items = place && this.#places.items(place);
        if (!isRecord(operand) || !Array.isArray(operand.$each)) return this.#value(operand, items, 2);
        return { ...operand, $each: operand.$each.map((item) => this.#value(item, items, 2)) };
      }
      case "$pull": {
        const items = place && this.#places.items(place);
        return isRecord(operand) ? this.#element(operand, items, 1) : this.#value(operand, items, 2);
      }
      default:
        // Of $pullAll too: its list of elements reads like the array that they stand in.
        return this.#value(operand, place, 2);
    }
  }

  /** What stands at a path of a filter: operators with their operands, or a literal. */
  #test(operand: unknown, place: Place | undefined, depth: number): unknown {
    if (depth > LIMITS.filterDepth) return operand;
    if (Array.isArray(operand)) return this.#value(operand, place, 2);
    if (!isRecord(operand)) return this.#scalar(operand, place);
    if (!Object.keys(operand)[0]?.startsWith("$")) return this.#value(operand, place, 2);
    return mapMembers(operand, (key, inner) => {
      switch (key) {
        case "$elemMatch":
          return this.#element(inner, place && this.#places.items(place), depth + 1);
        case "$date":
        case "$numberLong":
        case "$binary":
        case "$exists":
        case "$type":
        case "$size":
        case "$mod":
          return inner;
        case "$in":
        case "$nin":
        case "$all":
          return Array.isArray(inner) ? inner.map((one) => this.#test(one, place, depth)) : inner;
        default:
          return this.#test(inner, place, key === "$not" ? depth + 1 : depth);
      }
    });
  }

  /** What tests an array's elements: operators on the element itself, or a filter on its fields. */
  #element(operand: unknown, items: Place | undefined, depth: number): unknown {
    if (!items || !isRecord(operand)) return operand;
    const [first = ""] = Object.keys(operand);
    const fields = !first.startsWith("$") || LOGICAL.has(first);
    return fields ? this.filter(operand, items, depth) : this.#test(operand, items, depth);
  }

  /** The elements that an update's `$[name]` chooses from; unknown if it stands on different arrays. */
  #filtered(body: object, name: string): Place | undefined {
    const paths = Object.entries(body).flatMap(([key, operand]) => {
      if (!key.startsWith("$")) return key;
      return isRecord(operand) ? Object.keys(operand) : Array.isArray(operand) ? operand : [];
    });
    const places = paths.flatMap((path: unknown) => {
      const segments = typeof path === "string" ? path.split(".") : [];
      const at = segments.indexOf(`$[${name}]`);
      return at > 0 ? [this.#at(segments.slice(0, at + 1).join("."))] : [];
    });
    return new Set(places).size === 1 ? places[0] : undefined;
  }

  /** A scalar that a path yields: of the place itself, or of an array's elements there. */
  #scalar(input: unknown, place: Place | undefined): unknown {
    const own = this.#value(input, place, 2);
    return own === input && place ? this.#value(input, this.#places.items(place), 2) : own;
  }

  #value(input: unknown, place: Place | undefined, level: number): unknown {
    if (!place || level > LIMITS.documentDepth) return input;
    if (typeof input === "string") return tagged(input, this.#places.classes(place));
    if (Array.isArray(input)) {
      const items = this.#places.items(place);
      return items ? input.map((item) => this.#value(item, items, level + 1)) : input;
    }
    if (!isRecord(input) || Object.keys(input)[0]?.startsWith("$")) return input;
    return mapMembers(input, (key, member) => this.#value(member, this.#places.member(place, key), level + 1));
  }

  #at(path: string, from?: Place): Place | undefined {
    let place: Place | undefined = from ?? this.#places.document;
    for (const segment of path.split(".")) {
      if (!place) return undefined;
      place = this.#step(place, segment);
    }
    return place;
  }

  /** A number is an index on an array and a key on an object; `$[]` and `$[name]` are elements. */
  #step(place: Place, segment: string): Place | undefined {
    if (segment.startsWith("$[")) return this.#places.items(place);
    if (!isNumericSegment(segment)) return this.#places.at([segment], place);
    const classes = this.#places.classes(place);
    if (!classes || classes.has("array") === classes.has("object")) return undefined;
    return classes.has("array") ? this.#places.items(place) : this.#places.member(place, segment);
  }
}

/** A text as the one class that the schema declares for it; as text where text fits too. */
function tagged(text: string, classes: ReadonlySet<ValueClass> | undefined): unknown {
  if (!classes || classes.has("string")) return text;
  if (classes.has("date") && parseDate(text)) return { $date: text };
  if (classes.has("int64") && parseInt64(text) !== undefined) return { $numberLong: text };
  return classes.has("binary") ? { $binary: { base64: text, subType: "00" } } : text;
}

function isRecord(input: unknown): input is Readonly<Record<string, unknown>> {
  return typeof input === "object" && input !== null && !Array.isArray(input);
}

/** A copy with each member mapped. Every key becomes an own member, `__proto__` too, for the parser to refuse. */
function mapMembers(object: object, map: (key: string, member: unknown) => unknown): unknown {
  return Object.fromEntries(Object.entries(object).map(([key, member]) => [key, map(key, member)]));
}
