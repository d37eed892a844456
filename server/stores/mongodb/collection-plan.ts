import type { Document } from "mongodb";
import type { SortKey } from "#protocol/ast";
import type { Key } from "#protocol/compare";
import type { IndexDefinition, Query } from "../document-store.ts";
import { boundsUnderArrays, planQuery } from "../plan.ts";
import { adviseIndex } from "../plan-advice.ts";
import type { IndexFacts, Plan } from "../plan-shape.ts";
import { type KeyBounds, keyBounds } from "./key-bounds.ts";
import { toMongoFilter } from "./translate.ts";

/** An index as a query sees it: what the planner must know, and the name to `hint` it by. */
export interface NamedIndex extends IndexFacts {
  readonly name: string;
}

/** A collection as a query sees it. */
export interface IndexedCollection {
  readonly name: string;
  readonly indexes: readonly NamedIndex[];
}

const BY_ID: readonly SortKey[] = [{ path: ["_id"], descending: false }];

/**
 * How a query is to be run on a collection. MongoDB is given the whole filter and the sort whatever the plan is, so a plan
 * that knows too little of arrays costs time and finds the same.
 */
export function planOn(
  { filter }: Pick<Query, "filter">,
  sort: readonly SortKey[] | undefined,
  { indexes }: IndexedCollection,
): Plan<NamedIndex> {
  const plan = planQuery(filter, sort, indexes);
  if (plan.access.kind !== "none" || filter.kind === "false") return plan;
  // Two tests that no one value passes may be passed by two elements of an array that this node has not heard of.
  return planQuery(
    filter,
    sort,
    indexes.map((index) => ({ ...index, multikey: index.keys.map(() => true) })),
  );
}

/** The filter of a query as MongoDB takes it under a plan. */
export function filterOn({ filter }: Pick<Query, "filter">, { access }: Plan<NamedIndex>): Document {
  return toMongoFilter(filter, access.kind === "union");
}

/** What makes MongoDB read what a plan chose. A union it plans by itself, by an index for each branch. */
export function hintOf({ access }: Plan<NamedIndex>): Document {
  switch (access.kind) {
    case "index":
      return { hint: access.index.name };
    case "primary":
      return { hint: "_id_" };
    case "scan":
      return { hint: { $natural: 1 } };
    default:
      return {};
  }
}

/** The keys that an index of MongoDB is made of: those declared, and `_id` behind them, except in a unique one. */
export function partsOf({ access }: Plan<NamedIndex>): readonly SortKey[] {
  if (access.kind !== "index") return BY_ID;
  const { keys, unique } = access.index;
  const whole = unique || keys.some(({ path }) => path.join(".") === "_id");
  return whole ? keys : [...keys, { path: ["_id"], descending: keys.at(-1)?.descending ?? false }];
}

/**
 * The stretch of the index that a plan reads in the order of the sort, from a cursor on; query-language.md 8.3.2.
 *
 * @returns undefined if that is more than one stretch, or nothing that the plan reads in order
 */
export function stretchOf(
  plan: Plan<NamedIndex>,
  { filter }: Pick<Query, "filter">,
  sort: readonly SortKey[],
  after: readonly Key[] | undefined,
): KeyBounds | "nothing" | undefined {
  const { access, ordered } = plan;
  if (!ordered || (access.kind !== "index" && access.kind !== "primary")) return undefined;
  const bounds = access.kind === "primary" ? boundsOfPrimary(access.bounds) : boundsUnderArrays(filter, access.index);
  if (bounds === "none") return "nothing";
  return keyBounds(partsOf(plan), bounds, after && { sort, after, backward: access.backward });
}

function boundsOfPrimary<B>(bounds: B | undefined): readonly B[] {
  return bounds === undefined ? [] : [bounds];
}

/** The index that would serve a query better, if one could be declared. */
export function adviceOn(
  { filter }: Pick<Query, "filter">,
  sort: readonly SortKey[] | undefined,
  { indexes }: IndexedCollection,
): IndexDefinition | undefined {
  const declared = indexes.map(({ keys, unique }) => ({
    paths: keys.map(({ path, descending }) => (descending ? "-" : "") + path.join(".")),
    unique,
  }));
  return adviseIndex(filter, sort, declared);
}
