import type { MissingIndex } from "./access/lints/lint.ts";
import type { LintOptions } from "./access/lints/lints.ts";
import type { Definitions } from "./documents/definitions.ts";
import type { DocumentStore } from "./stores/document-store.ts";
import { indexKeys, planQuery } from "./stores/plan.ts";
import { adviseIndex } from "./stores/plan-advice.ts";

export interface LintSources {
  readonly store: Pick<DocumentStore, "stats">;
  readonly definitionOf: (collection: string) => ReturnType<Definitions["get"]>;
}

/** What lints of access rules ask of collections, which access itself does not know. */
export function lintSources({ store, definitionOf }: LintSources): LintOptions {
  return {
    async declared(collection) {
      const definition = definitionOf(collection);
      if (!definition) return undefined;
      const documents = (await store.stats(collection))?.documents ?? 0;
      return { schema: definition.schema?.source, indexes: definition.indexes, documents };
    },
    missingIndex,
  };
}

/** By the planner of both engines, every index being built. */
export const missingIndex: MissingIndex = (filter, indexes) => {
  const facts = indexes.map((index) => ({
    ...{ keys: indexKeys(index), unique: index.unique === true, ready: true },
    multikey: index.paths.map(() => false),
  }));
  if (planQuery(filter, undefined, facts).access.kind !== "scan") return undefined;
  const advice = adviseIndex(filter, undefined, indexes);
  return advice ? { advice } : {};
};
