import type { Path } from "./paths.ts";
import type { Value, ValueClass } from "./values.ts";

/** What an access rule names and its binding replaces by a value before anything is evaluated (access-rules.md 3). */
export class Variable {
  /** As in `$auth.id`, `$now`, `$lookup.mine`, `$before.team.id`. */
  readonly name: string;
  /** Milliseconds added to `$now`. */
  readonly offset: number;
  /** Whether it is the whole operand of `$in`, `$nin` or `$all`, and stands for its elements. */
  readonly spread: boolean;

  constructor(name: string, { offset = 0, spread = false }: { offset?: number; spread?: boolean } = {}) {
    this.name = name;
    this.offset = offset;
    this.spread = spread;
    Object.freeze(this);
  }
}

/** What a test compares with: a literal, or in an access rule a variable. */
export type Term = Value | Variable;

/**
 * A filter as the language holds it: frozen plain data, made only by filter.ts (query-language.md 7). `Node<Term>` is an
 * access rule before it is bound.
 */
export type Node<T extends Term = Value> =
  | { readonly kind: "true" }
  | { readonly kind: "false" }
  | { readonly kind: "and" | "or"; readonly of: readonly Node<T>[] }
  | { readonly kind: "not"; readonly of: Leaf<T> }
  | Leaf<T>;

export type Leaf<T extends Term = Value> =
  | { readonly kind: "compare"; readonly op: CompareOp; readonly path: Path; readonly value: T }
  | { readonly kind: "in"; readonly path: Path; readonly values: readonly T[] }
  | { readonly kind: "exists"; readonly path: Path }
  | { readonly kind: "type"; readonly path: Path; readonly classes: readonly ValueClass[] }
  | { readonly kind: "size"; readonly path: Path; readonly length: number }
  | { readonly kind: "mod"; readonly path: Path; readonly divisor: number; readonly remainder: number }
  | {
      readonly kind: "text";
      readonly path: Path;
      readonly at: "start" | "end" | "any";
      readonly text: string | Exclude<T, Value>;
    }
  /** Value form of `$elemMatch`: tests of the element itself, whose inner path is []. */
  | { readonly kind: "elementValue"; readonly path: Path; readonly of: readonly ElementTest<T>[] }
  /** Object form of `$elemMatch`: a filter on each element that is an object or an array. */
  | { readonly kind: "elementObject"; readonly path: Path; readonly of: Node<T> };

export type ElementTest<T extends Term = Value> = Leaf<T> | { readonly kind: "not"; readonly of: Leaf<T> };
/** What `$elemMatch` makes; `$pull` and `$arrayFilters` hold one with the path []. */
export type ElementMatch = Extract<Leaf, { kind: "elementValue" | "elementObject" }>;
export type CompareOp = "eq" | "gt" | "gte" | "lt" | "lte";

/** One key of a sort. The last one is always `_id`, which sort.ts appends. */
export interface SortKey {
  readonly path: Path;
  readonly descending: boolean;
}

export const TRUE: { readonly kind: "true" } = Object.freeze({ kind: "true" });
export const FALSE: { readonly kind: "false" } = Object.freeze({ kind: "false" });
