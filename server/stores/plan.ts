import type { Node, SortKey } from "#protocol/ast";
import { TRUE } from "#protocol/ast";
import type { Key } from "#protocol/compare";
import { equal } from "#protocol/compare";
import type { IndexDefinition } from "./document-store.ts";
import { boundsOf, choose } from "./plan-choice.ts";
import type { Interval } from "./plan-intervals.ts";
import { conjunctsOf, predicatesOf } from "./plan-predicates.ts";
import type { Access, IndexFacts, Plan } from "./plan-shape.ts";
import { chooseUnion } from "./plan-union.ts";

/** Reads the declared form of an index: `-` in front of a path is descending. */
export function indexKeys(definition: IndexDefinition): SortKey[] {
  return definition.paths.map((text) => {
    const descending = text.startsWith("-");
    return { path: (descending ? text.slice(1) : text).split("."), descending };
  });
}

/** For each part of the tuples of one document, whether they differ in it: what sets `IndexFacts.multikey`. */
export function differingParts(tuples: readonly (readonly Key[])[]): boolean[] {
  const [first = [], ...others] = tuples;
  return first.map((key, i) => others.some((tuple) => !equal(key, tuple[i] as Key)));
}

/**
 * Chooses at most one index, or one for each branch of an `or`: by the longest equality prefix, then a range or the
 * sort (query-language.md 8). Of a query without an order (count, distinct, aggregate) leave out `sort`.
 *
 * @param filter normalised
 */
export function planQuery<I extends IndexFacts>(
  filter: Node,
  sort: readonly SortKey[] | undefined,
  indexes: readonly I[],
): Plan<I> {
  if (filter.kind === "false") return NOTHING;
  const conjuncts = conjunctsOf(filter);
  const single = choose(conjuncts, sort, indexes);
  if (single === "none") return NOTHING;
  const union = chooseUnion(conjuncts, indexes, single);
  if (union === "none") return NOTHING;
  if (union) {
    const access: Access<I> = Object.freeze({ kind: "union", of: Object.freeze(union.uses) });
    return Object.freeze({ access, residual: without(conjuncts, union.decided), ordered: false, repeats: true });
  }
  if (!single) return Object.freeze({ access: SCAN, residual: filter, ordered: false, repeats: false });
  const { use, decided, ordered, repeats } = single;
  return Object.freeze({ access: use, residual: without(conjuncts, decided), ordered, repeats });
}

/**
 * What the first paths of an index must lie in for a document to pass, whatever arrays the index has come to hold: for an
 * engine that is told of them late.
 */
export function boundsUnderArrays(filter: Node, index: IndexFacts): readonly (readonly Interval[])[] | "none" {
  const multikey = index.keys.map(() => true);
  const found = boundsOf({ ...index, multikey }, predicatesOf(conjunctsOf(filter)));
  return found === "none" ? found : found.bounds;
}

const SCAN: Access<never> = Object.freeze({ kind: "scan" });
const NOTHING: Plan<never> = Object.freeze({
  access: Object.freeze({ kind: "none" }),
  residual: TRUE,
  ordered: true,
  repeats: false,
});

/** The conjuncts that are still open, as one filter. */
function without(conjuncts: readonly Node[], decided: ReadonlySet<number>): Node {
  const open = conjuncts.filter((_, i) => !decided.has(i));
  if (open.length <= 1) return open[0] ?? TRUE;
  return Object.freeze({ kind: "and", of: Object.freeze(open) });
}
