import type { Node } from "#protocol/ast";
import type { IndexDefinition } from "../../stores/document-store.ts";
import type { CheckedRules, Finding } from "../publishing/rule-findings.ts";
import type { Observations } from "../rule-tests/observations.ts";

/** What lints look at. */
export interface LintContext extends CheckedRules {
  /** Undefined: not declared, or not one that the rules name. */
  readonly declared: (collection: string) => Declared | undefined;
  /** Undefined: no tests came with the rules. */
  readonly observations: Observations | undefined;
  readonly missingIndex: MissingIndex;
}

/** What a collection is declared to be, and holds. */
export interface Declared {
  /** JSON Schema; undefined: none. */
  readonly schema: unknown;
  readonly indexes: readonly IndexDefinition[];
  readonly documents: number;
}

/** Whether a filter reads a whole collection under these indexes, and what would serve it; undefined: it does not. */
export type MissingIndex = (
  filter: Node,
  indexes: readonly IndexDefinition[],
) => { readonly advice?: IndexDefinition } | undefined;

/** One row or more of the table in access-rules.md 11. */
export type Lint = (context: LintContext) => Iterable<Finding>;
