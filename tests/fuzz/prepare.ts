import { type Aggregate, parseAggregate } from "#protocol/aggregate";
import type { Node, SortKey } from "#protocol/ast";
import { Faults, GalleyError } from "#protocol/errors";
import { parseFilter } from "#protocol/filter";
import { type Path, parsePlainPath } from "#protocol/paths";
import { parseSort } from "#protocol/sort";
import { PAGES, type Question } from "./questions.ts";

/** A question as it was parsed. Filters are not normalised; the filter and the rule must both hold. */
export type Prepared = { readonly filters: readonly Node[] } & (
  | {
      readonly kind: "find";
      readonly sort: readonly SortKey[];
      readonly limit: number;
      readonly pages: number;
      readonly after?: string;
    }
  | { readonly kind: "count"; readonly cap: number }
  | { readonly kind: "distinct"; readonly path: Path }
  | { readonly kind: "aggregate"; readonly aggregate: Aggregate }
);

/** Undefined if the parser refuses the question: not every random one is of the language. */
export function prepare(question: Question): Prepared | undefined {
  const faults = new Faults();
  const filter = parseFilter(question.filter, "filter", faults);
  const prepared = prepareRest(question, filter, faults);
  return faults.any ? undefined : prepared;
}

function prepareRest(question: Question, filter: Node, faults: Faults): Prepared {
  switch (question.kind) {
    case "find": {
      const { kind, limit, pages = PAGES, after, rule } = question;
      const filters = rule ? [filter, parseFilter(rule, "rule", faults)] : [filter];
      return {
        kind,
        filters,
        sort: parseSort(question.sort, "sort", faults),
        limit,
        pages,
        ...(after !== undefined && { after }),
      };
    }
    case "count":
      return { kind: "count", filters: [filter], cap: question.cap };
    case "distinct":
      return { kind: "distinct", filters: [filter], path: parsePlainPath(question.path, "path", faults) };
    case "aggregate":
      return { kind: "aggregate", filters: [filter], aggregate: parseAggregate(question.body, "", faults) };
  }
}

/** What an error says to a client, in one line. Anything but a GalleyError is a crash, which no engine may answer. */
export function describeError(error: unknown): string {
  if (!(error instanceof GalleyError))
    return `crash ${error instanceof Error ? (error.stack ?? error.message) : error}`;
  const codes = new Set(error.details.faults?.map((fault) => fault.code));
  return ["error", error.code, ...codes].join(" ");
}
