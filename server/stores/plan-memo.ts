import type { Node, SortKey } from "#protocol/ast";
import { planQuery } from "./plan.ts";
import type { IndexFacts, Plan } from "./plan-shape.ts";

/** {@link planQuery} that remembers, for as long as the filter and the list of indexes are held by somebody. */
export interface PlanMemo<I extends IndexFacts> {
  plan(filter: Node, sort: readonly SortKey[] | undefined, indexes: readonly I[]): Plan<I>;
}

/**
 * An app asks few questions, and asks them again and again: the parser then hands out the same frozen filter and sort.
 * They are known by identity, so whoever makes a new one only misses.
 */
export function createPlanMemo<I extends IndexFacts>(): PlanMemo<I> {
  const made = new WeakMap<readonly I[], WeakMap<Node, { sort: readonly SortKey[] | undefined; plan: Plan<I> }>>();

  return {
    plan(filter, sort, indexes) {
      let plans = made.get(indexes);
      if (!plans) {
        plans = new WeakMap();
        made.set(indexes, plans);
      }
      const known = plans.get(filter);
      if (known && known.sort === sort) return known.plan;
      const plan = planQuery(filter, sort, indexes);
      plans.set(filter, { sort, plan });
      return plan;
    },
  };
}
