import type { Db, Document } from "mongodb";
import type { SortKey } from "#protocol/ast";
import { isMissingHint } from "./errors.ts";

/** For each path of an index, whether MongoDB has met an array in it. Nothing is executed: it is a fact of the index. */
export async function readMultikey(db: Db, collection: string, name: string, keys: readonly SortKey[]) {
  const explain = { explain: { find: collection, hint: name }, verbosity: "queryPlanner" };
  // An index that has just been dropped is not there to be asked about.
  const explained = await db.command(explain).catch((error: unknown) => {
    if (isMissingHint(error)) return {} as Document;
    throw error;
  });
  const scan = scanOf(explained.queryPlanner?.winningPlan);
  const paths: Record<string, unknown> = scan?.multiKeyPaths ?? {};
  return keys.map(({ path }) => {
    const arrays = paths[path.join(".")];
    return Array.isArray(arrays) && arrays.length > 0;
  });
}

/** The index scan within a plan, which has other stages around it. */
function scanOf(stage: Document | undefined): Document | undefined {
  if (stage === undefined || stage.stage === "IXSCAN") return stage;
  return scanOf(stage.inputStage ?? stage.queryPlan);
}
