import { Faults } from "#protocol/errors";
import { compileFilter } from "#protocol/match";
import { compareKeys, sortKeyOf } from "#protocol/sort";
import type { ObjectValue } from "#protocol/values";
import { runFilterCases } from "./filter-cases.ts";

runFilterCases("evaluator", ({ documents, filter, sort }) => {
  const faults = new Faults();
  const keyOf = (document: ObjectValue) => {
    const key = sortKeyOf(sort, document);
    if (!key) faults.add("sort", "sort_parallel_arrays", "two arrays on the paths of one sort");
    return key ?? [];
  };
  const keys = documents.filter(compileFilter(filter)).map(keyOf);
  faults.throwIfAny();
  return keys.sort((a, b) => compareKeys(sort, a, b)).map((key) => key.at(-1) as string);
});
