import type { Node } from "#protocol/ast";
import { Faults } from "#protocol/errors";
import { parseFilter } from "#protocol/filter";
import { normalise } from "#protocol/normalise";
import { compareKeys, parseSort } from "#protocol/sort";
import type { ObjectValue } from "#protocol/values";
import type { IndexDefinition } from "../../server/stores/document-store.ts";
import { planQuery } from "../../server/stores/plan.ts";
import type { Plan } from "../../server/stores/plan-shape.ts";
import { answer, type IndexTable, indexTable, matching, placeOf, type Stored } from "./index-tables.ts";

export function filterOf(input: unknown): Node {
  const faults = new Faults();
  const node = parseFilter(input, "filter", faults);
  faults.throwIfAny();
  return normalise(node);
}

export function sortOf(input: unknown) {
  return parseSort(input, "sort", new Faults());
}

export interface Scenario {
  /** They get the ids d0, d1 … */
  readonly documents?: readonly object[];
  /** Each by its paths; `unique` in front makes it a unique one. */
  readonly indexes: readonly (readonly string[])[];
  readonly filter: unknown;
  /** Left out: a count. */
  readonly sort?: unknown;
}

export interface Outcome {
  readonly plan: Plan<IndexTable>;
  /** What is read, in words: the index's paths, each bounded one followed by `=`, `in n` or `<>`. */
  readonly access: string;
  /** Whether nothing is left to evaluate. */
  readonly exact: boolean;
  readonly ids: readonly string[];
}

/**
 * Plans a query over indexes of some documents and answers it by the plan alone.
 *
 * @throws Error if the answer, or its order where the plan claims it, is not the evaluator's
 */
export function scenario({ documents = [], indexes, filter, sort }: Scenario): Outcome {
  const stored: Stored[] = documents.map((document, i) => ({ ...(document as ObjectValue), _id: `d${i}` }));
  const tables = indexes.map((paths) => {
    const table = indexTable(definitionOf(paths), stored);
    if (!table) throw new Error(`index ${paths} refuses a document`);
    return table;
  });
  const node = filterOf(filter);
  const order = sort === undefined ? undefined : sortOf(sort);
  const plan = planQuery(node, order, tables);
  const found = answer(plan, stored);
  const expected = matching(node, stored);
  if (plan.ordered && order) {
    expected.sort((a, b) => compareKeys(order, placeOf(order, a), placeOf(order, b)));
  }
  const wanted = expected.map(({ _id }) => _id);
  const [left, right] = plan.ordered ? [found, wanted] : [found.toSorted(), wanted.toSorted()];
  if (left.join() !== right.join()) throw new Error(`plan finds ${left}, evaluator ${right}`);
  return { plan, access: describeAccess(plan.access), exact: plan.residual.kind === "true", ids: found };
}

export function definitionOf(paths: readonly string[]): IndexDefinition {
  return paths[0] === "unique" ? { paths: paths.slice(1), unique: true } : { paths };
}

function describeAccess(access: Plan<IndexTable>["access"]): string {
  switch (access.kind) {
    case "none":
    case "scan":
      return access.kind;
    case "primary":
      return `_id${describeBound(access.bounds)}${access.backward ? " backward" : ""}`;
    case "index": {
      const paths = access.index.keys.map(({ path, descending }, i) => {
        return `${descending ? "-" : ""}${path.join(".")}${describeBound(access.bounds[i])}`;
      });
      return `${paths.join(", ")}${access.backward ? " backward" : ""}`;
    }
    case "union":
      return access.of.map(describeAccess).join(" | ");
  }
}

function describeBound(intervals: readonly { kind: string }[] | undefined): string {
  if (!intervals) return "";
  if (intervals.some(({ kind }) => kind === "range")) return " <>";
  return intervals.length === 1 ? " =" : ` in ${intervals.length}`;
}
