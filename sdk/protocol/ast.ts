import type { Path } from "./paths.ts";
import type { Value, ValueClass } from "./values.ts";

/** What a test compares with. A literal; access rules add variables, which are bound before evaluation. */
export type Term = Value;

/** A filter as the language holds it: frozen plain data, made only by filter.ts (query-language.md 7). */
export type Node =
  | { readonly kind: "true" }
  | { readonly kind: "false" }
  | { readonly kind: "and" | "or"; readonly of: readonly Node[] }
  | { readonly kind: "not"; readonly of: Leaf }
  | Leaf;

export type Leaf =
  | { readonly kind: "compare"; readonly op: CompareOp; readonly path: Path; readonly value: Term }
  | { readonly kind: "in"; readonly path: Path; readonly values: readonly Term[] }
  | { readonly kind: "exists"; readonly path: Path }
  | { readonly kind: "type"; readonly path: Path; readonly classes: readonly ValueClass[] }
  | { readonly kind: "size"; readonly path: Path; readonly length: number }
  | { readonly kind: "mod"; readonly path: Path; readonly divisor: number; readonly remainder: number }
  | { readonly kind: "text"; readonly path: Path; readonly at: "start" | "end" | "any"; readonly text: string }
  /** Value form of `$elemMatch`: tests of the element itself, whose inner path is []. */
  | { readonly kind: "elementValue"; readonly path: Path; readonly of: readonly ElementTest[] }
  /** Object form of `$elemMatch`: a filter on each element that is an object or an array. */
  | { readonly kind: "elementObject"; readonly path: Path; readonly of: Node };

export type ElementTest = Leaf | { readonly kind: "not"; readonly of: Leaf };
/** What `$elemMatch` makes; `$pull` and `$arrayFilters` hold one with the path []. */
export type ElementMatch = Extract<Leaf, { kind: "elementValue" | "elementObject" }>;
export type CompareOp = "eq" | "gt" | "gte" | "lt" | "lte";

/** One key of a sort. The last one is always `_id`, which sort.ts appends. */
export interface SortKey {
  readonly path: Path;
  readonly descending: boolean;
}

export const TRUE: Node = Object.freeze({ kind: "true" });
export const FALSE: Node = Object.freeze({ kind: "false" });
