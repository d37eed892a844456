import type { Node } from "#protocol/ast";
import { type Choice, choose, prefer } from "./plan-choice.ts";
import { conjunctsOf } from "./plan-predicates.ts";
import type { IndexFacts, IndexUse, PrimaryUse } from "./plan-shape.ts";

/** One use for each branch of an `or`. */
export interface UnionChoice<I extends IndexFacts> {
  readonly uses: readonly (PrimaryUse | IndexUse<I>)[];
  /** The conjuncts of the whole filter, the `or` among them, that every candidate passes. */
  readonly decided: ReadonlySet<number>;
  /** Whether all of the uses are. */
  readonly selective: boolean;
  /** The score of the use that narrows least. */
  readonly score: readonly number[];
}

/**
 * The best union over the `or`s among the conjuncts, if it is better than `single`. Every branch must be narrowed: one
 * that is not needs all documents anyway.
 */
export function chooseUnion<I extends IndexFacts>(
  conjuncts: readonly Node[],
  indexes: readonly I[],
  single: Choice<I> | undefined,
): UnionChoice<I> | "none" | undefined {
  let best: UnionChoice<I> | undefined;
  for (const [at, node] of conjuncts.entries()) {
    if (node.kind !== "or") continue;
    const union = unionOf(conjuncts, at, node.of, indexes);
    if (union === "none") return union;
    // A union is read to its end. Where a branch like `{public: true}` may be most of the collection, documents that
    // come in order are better, of which a page needs only the first.
    if (!union || (single?.ordered && !union.selective)) continue;
    const toBeat = best?.score ?? single?.score;
    if (!toBeat || prefer(union.score, toBeat)) best = union;
  }
  return best;
}

/** Each branch is planned as a query of its own, together with what must hold beside the `or`. */
function unionOf<I extends IndexFacts>(
  conjuncts: readonly Node[],
  at: number,
  branches: readonly Node[],
  indexes: readonly I[],
): UnionChoice<I> | "none" | undefined {
  const decided = new Set(conjuncts.keys());
  const choices: Choice<I>[] = [];
  for (const branch of branches) {
    const own = conjunctsOf(branch);
    const choice = choose([...conjuncts, ...own], undefined, indexes);
    if (choice === "none") continue;
    if (!choice) return undefined;
    choices.push(choice);
    for (const i of conjuncts.keys()) if (i !== at && !choice.decided.has(i)) decided.delete(i);
    if (own.some((_, i) => !choice.decided.has(conjuncts.length + i))) decided.delete(at);
  }
  const [first, ...others] = choices;
  if (!first) return "none";
  const score = others.reduce((worst, choice) => (prefer(worst, choice.score) ? choice.score : worst), first.score);
  const selective = choices.every((choice) => choice.selective);
  return { uses: choices.map((choice) => choice.use), decided, selective, score };
}
