import type { ElementTest, Leaf, Node } from "#protocol/ast";
import { classOf } from "#protocol/compare";
import type { Faults } from "#protocol/errors";
import type { Path } from "#protocol/paths";
import type { Value, ValueClass } from "#protocol/values";
import type { Place, Places } from "./schema/places.ts";

/**
 * Refuses literals of a class that the schema, or the meaning of a server field, excludes at their path: they could
 * match nothing, and most often are a date or an id written as text (query-language.md 1.9). For a client's filter only,
 * as it was parsed.
 */
export function checkLiterals(node: Node, places: Places, at: string, faults: Faults): void {
  new LiteralCheck(places, at, faults).node(node, places.document, []);
}

class LiteralCheck {
  readonly #places: Places;
  readonly #at: string;
  readonly #faults: Faults;

  constructor(places: Places, at: string, faults: Faults) {
    this.#places = places;
    this.#at = at;
    this.#faults = faults;
  }

  /** @param from the place that the node's paths start at, `trail` how it was reached */
  node(node: Node | ElementTest, from: Place | undefined, trail: Path): void {
    if (!from) return;
    switch (node.kind) {
      case "true":
      case "false":
        return;
      case "and":
      case "or":
        for (const child of node.of) this.node(child, from, trail);
        return;
      case "not":
        this.node(node.of, from, trail);
        return;
      default:
        this.#leaf(node, from, trail);
    }
  }

  #leaf(node: Leaf, from: Place, trail: Path): void {
    const place = node.path.length === 0 ? from : this.#places.at(node.path, from);
    const reached = [...trail, ...node.path];
    switch (node.kind) {
      case "compare":
        this.#literal(node.value, place, node.op === "eq" ? reached : [...reached, `$${node.op}`]);
        return;
      case "in":
        for (const value of node.values) this.#literal(value, place, [...reached, "$in"]);
        return;
      case "text":
        this.#class("string", place, reached);
        return;
      case "mod":
        this.#class("number", place, [...reached, "$mod"]);
        return;
      case "elementValue":
        for (const test of node.of) this.node(test, place && this.#places.items(place), reached);
        return;
      case "elementObject":
        this.node(node.of, place && this.#places.items(place), reached);
        return;
      case "exists":
      case "type":
      case "size":
        return;
    }
  }

  #literal(value: Value, place: Place | undefined, path: Path): void {
    // null also means missing, which no schema excludes for good.
    if (value !== null) this.#class(classOf(value), place, path);
  }

  #class(wanted: ValueClass, place: Place | undefined, path: Path): void {
    const allowed = this.#yielded(place);
    if (!allowed || allowed.has(comparable(wanted))) return;
    const classes = [...allowed].filter((one) => one !== "null").join(" or ");
    this.#faults.add(
      [this.#at, ...path].join("."),
      "bad_operand",
      `expects ${article(classes)}: the schema allows no ${wanted} here`,
    );
  }

  /** Classes of what a path yields: of the value, and of its elements if it is an array. */
  #yielded(place: Place | undefined): Set<ValueClass> | undefined {
    const classes = place && this.#places.classes(place);
    if (!classes) return undefined;
    const all = new Set([...classes].map(comparable));
    if (!classes.has("array")) return all;
    const items = this.#places.items(place);
    const inside = items && this.#places.classes(items);
    if (!inside) return undefined;
    for (const one of inside) all.add(comparable(one));
    return all;
  }
}

/** int64 and double compare with each other. */
function comparable(one: ValueClass): ValueClass {
  return one === "int64" ? "number" : one;
}

function article(classes: string): string {
  return /^[aeiou]/.test(classes) ? `an ${classes}` : `a ${classes}`;
}
