import type { Node } from "#protocol/ast";
import type { IndexStats } from "./stores/document-store.ts";
import { indexKeys, planQuery } from "./stores/plan.ts";

/** How a question without an order is read, as every engine plans it. */
export interface ListPlan {
  /** Documents are read one by one. */
  readonly scan: boolean;
  /** Paths of the indexes that are read, each of an `or` by its own. */
  readonly indexes: readonly (readonly string[])[];
}

/** @param filter normalised */
export function listPlan(filter: Node, indexes: readonly IndexStats[]): ListPlan {
  const facts = indexes.map(({ paths, unique = false, state }) => {
    const keys = indexKeys({ paths });
    // Of arrays nothing is known here: what is said holds with them too.
    return { paths, keys, unique, ready: state === "ready", multikey: keys.map(() => true) };
  });
  const { access } = planQuery(filter, undefined, facts);
  const uses = access.kind === "union" ? access.of : [access];
  const read = uses.flatMap((use) =>
    use.kind === "index" ? [use.index.paths] : use.kind === "primary" ? [["_id"]] : [],
  );
  return { scan: access.kind === "scan", indexes: read };
}
