import type { Document } from "mongodb";
import { EMPTY, type Key, RANK, type Rank, rankOf } from "#protocol/compare";
import type { Value } from "#protocol/values";
import { type Edge, type Interval, WIDTH, widthOf } from "../plan-intervals.ts";
import type { Access } from "../plan-shape.ts";
import { TYPES_BY_RANK } from "./rank-types.ts";
import { patternOf } from "./translate.ts";
import { toBson } from "./values.ts";

/**
 * A filter for the documents that an access finds, to count them by: its bounds alone, so that MongoDB can answer from the
 * index. Undefined if the access finds every document.
 */
export function boundsFilter(access: Access): Document | undefined {
  switch (access.kind) {
    case "none":
      return { $nor: [{}] };
    case "scan":
      return undefined;
    case "primary":
      return access.bounds && pathFilter("_id", access.bounds);
    case "index": {
      const paths = access.bounds.map((bound, i) => pathFilter(access.index.keys[i]?.path.join(".") ?? "", bound));
      return paths.length === 0 ? undefined : { $and: paths };
    }
    case "union": {
      const branches = access.of.map(boundsFilter);
      return branches.includes(undefined) ? undefined : { $or: branches };
    }
  }
}

function pathFilter(path: string, intervals: readonly Interval[]): Document {
  const values: unknown[] = [];
  const others: Document[] = [];
  for (const interval of intervals) {
    if (interval.kind === "point" && interval.key !== EMPTY) values.push(toBson(interval.key as Value));
    else
      others.push(interval.kind === "point" ? { [path]: [] } : { [path]: rangeOperators(interval.from, interval.to) });
  }
  if (values.length > 0) others.unshift({ [path]: values.length === 1 ? { $eq: values[0] } : { $in: values } });
  const [first] = others;
  return first && others.length === 1 ? first : { $or: others };
}

function rangeOperators(from: Edge, to: Edge): Document {
  const [first, last] = [rankAt(from), rankAt(to)];
  if (first !== last || widthOf([{ kind: "range", from, to }]) === WIDTH.classes) {
    return { $type: TYPES_BY_RANK.filter(([rank]) => rank >= first && rank <= last).map(([, type]) => type) };
  }
  if ("prefix" in to && "key" in from && from.key === to.prefix) return { $regex: patternOf("start", to.prefix) };
  return {
    ...("key" in from && { [from.at === "before" ? "$gte" : "$gt"]: toBson(from.key as Value) }),
    ...("key" in to && { [to.at === "before" ? "$lt" : "$lte"]: toBson(to.key as Value) }),
    ...("prefix" in to && { $regex: patternOf("start", to.prefix) }),
  };
}

function rankAt(edge: Edge): Rank {
  if ("rank" in edge) return edge.rank;
  return "prefix" in edge ? RANK.string : rankOf(edge.key as Key);
}
