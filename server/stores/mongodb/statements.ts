import { BSON } from "mongodb";
import type { Node } from "#protocol/ast";
import type { IndexStats } from "../document-store.ts";
import { indexKeys } from "../plan.ts";
import { filterOn, hintOf, planOn } from "./collection-plan.ts";
import { indexName } from "./index-spec.ts";

/**
 * The command that reads what a question without an order looks at, for people to read: as Extended JSON, which a shell
 * runs as `db.runCommand(EJSON.parse(…))`.
 *
 * @param filter normalised
 */
export function mongoStatements(collection: string, filter: Node, indexes: readonly IndexStats[]): string[] {
  const named = indexes.map(({ paths, unique = false, state }) => {
    const keys = indexKeys({ paths });
    // Of arrays nothing is known here.
    const facts = { keys, unique, ready: state === "ready", multikey: keys.map(() => true) };
    return { ...facts, name: indexName({ paths, unique }) };
  });
  const plan = planOn({ filter }, undefined, { name: collection, indexes: named });
  if (plan.access.kind === "none") return [];
  const command = { find: collection, filter: filterOn({ filter }, plan), ...hintOf(plan) };
  return [BSON.EJSON.stringify(command, { relaxed: true })];
}
