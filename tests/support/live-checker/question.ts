/** Questions that are watched, and random ones of them. */
import type { Node, SortKey } from "#protocol/ast";
import { Faults } from "#protocol/errors";
import { parseFilter } from "#protocol/filter";
import type { LiveQuery } from "#protocol/frames";
import { parseSort } from "#protocol/sort";
import { randomFilter } from "../filter-generator.ts";
import type { Random } from "../trap-pool.ts";
import { type AggregateBody, aggregateOf, type Computation, countAll, distinctOf } from "./computations.ts";

export interface Question {
  readonly query: LiveQuery;
  /** Equal texts are equal questions. */
  readonly text: string;
  readonly collection: string;
  readonly kind: "list" | "value";
  /** Of a value: what it is. */
  readonly computation: Computation | undefined;
  readonly filter: Node;
  readonly sort: readonly SortKey[];
  readonly limit: number;
  readonly select: readonly string[] | undefined;
  /** Asked by ids, which the `get` rule judges. */
  readonly ids: readonly string[] | undefined;
}

interface FindBody {
  readonly filter?: object;
  readonly sort?: string;
  readonly limit?: number;
  readonly select?: readonly string[];
}

/** Of a question without one. */
const LIMIT = 50;

export function findQuestion(collection: string, find: FindBody): Question {
  const { filter = {}, sort, limit = LIMIT, select } = find;
  return { ...common({ collection, find }, filter, sort), ...LIST, limit, select, ids: undefined };
}

export function getQuestion(collection: string, ids: readonly string[]): Question {
  const limit = new Set(ids).size;
  return { ...common({ collection, get: { ids } }, {}, undefined), ...LIST, limit, select: undefined, ids };
}

const LIST = { kind: "list", computation: undefined } as const;

function valueQuestion(query: LiveQuery, filter: object, computation: Computation): Question {
  return {
    ...common(query, filter, undefined),
    kind: "value",
    computation,
    limit: 0,
    select: undefined,
    ids: undefined,
  };
}

function common(query: LiveQuery, filter: object, sort: string | undefined) {
  const faults = new Faults();
  const parsed = { filter: parseFilter(filter, "filter", faults), sort: parseSort(sort, "sort", faults) };
  faults.throwIfAny();
  return { query, text: JSON.stringify(query), collection: query.collection, ...parsed };
}

const LIMITS = [1, 3, 3, 10, 10, 50, 1000];
const SORTS: Readonly<Record<string, readonly (string | undefined)[]>> = {
  notes: [undefined, "n", "-n", "rank,-n", "-_updatedAt", "title", "-_createdAt", "-rank,title"],
  drafts: [undefined, "-n", "title"],
  mixed: [undefined, "a", "-b", "a.b", "n", "-a,-n", "_id"],
  members: [undefined, "team"],
};
const SELECTS: readonly (readonly string[])[] = [["title"], ["n", "a"], ["_createdAt", "rank"], ["secret", "b"]];

export const IDS = 40;
/** Those that all writers write. */
export const idOf = (collection: string, n: number) => `${collection.charAt(0)}${n}`;

/** Questions that are asked by many, left, and asked again; and how many of a hundred are new. */
const ASKED = 40;
const NEW = 5;

/**
 * Chooses among questions that were asked before, so that results are shared, left and found again, and now and then makes
 * a new one.
 *
 * @param people ids of those who may own documents
 */
export function createQuestions(people: readonly string[]): (random: Random) => Question {
  const asked: Question[] = [];
  return (random) => {
    const isFull = asked.length === ASKED;
    if (isFull && !random.chance(NEW)) return random.pick(asked);
    const question = randomQuestion(random, people);
    asked[isFull ? random.below(ASKED) : asked.length] = question;
    return question;
  };
}

function randomQuestion(random: Random, people: readonly string[]): Question {
  const collection = random.pick(["notes", "notes", "notes", "mixed", "mixed", "drafts", "members"] as const);
  if (random.chance(12)) {
    const ids = Array.from({ length: 1 + random.below(4) }, () => idOf(collection, random.below(IDS)));
    return getQuestion(collection, ids);
  }
  const filter = collection === "mixed" ? randomFilter(random, 2) : filterOf(random, people);
  if (random.chance(20)) return randomValueQuestion(random, collection, filter);
  const sort = random.pick(SORTS[collection] ?? []);
  return findQuestion(collection, {
    filter,
    limit: random.pick(LIMITS),
    ...(sort !== undefined && { sort }),
    ...(random.chance(15) && { select: random.pick(SELECTS) }),
  });
}

/** Fields whose values plain code orders and counts as it finds them. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  notes: ["rank", "n", "team", "title", "open", "ownerId"],
  drafts: ["rank", "n", "title", "open"],
  members: ["team", "userId"],
};
const GROUPS: readonly (readonly string[])[] = [[], ["rank"], ["open"], ["rank", "open"], ["title"]];
const OUTPUTS: AggregateBody["out"] = {
  all: { count: true },
  ...{ total: { sum: "n" }, mean: { avg: "n" }, least: { min: "n" }, most: { max: "n" } },
};

function randomValueQuestion(random: Random, collection: string, filter: object): Question {
  const field = random.pick(VALUES[collection] ?? [""]);
  const kind = random.below(3);
  if (kind === 0 || field === "") return valueQuestion({ collection, count: { filter } }, filter, countAll);
  if (kind === 1) {
    return valueQuestion({ collection, distinct: { filter, path: field } }, filter, distinctOf(field));
  }
  const names = random.some(Object.keys(OUTPUTS), 1 + random.below(3));
  const body = {
    group: random.pick(GROUPS),
    out: Object.fromEntries(names.map((name) => [name, OUTPUTS[name] ?? { count: true as const }])),
    ...(random.chance(40) && { sort: `${random.pick(["", "-"])}${names[0]}` }),
    ...(random.chance(30) && { limit: 1 + random.below(3) }),
  };
  return valueQuestion({ collection, aggregate: { filter, ...body } }, filter, aggregateOf(body));
}

function filterOf(random: Random, people: readonly string[]): object {
  const one = () =>
    random.pick<() => object>([
      () => ({}),
      () => ({ open: true }),
      () => ({ ownerId: random.pick(people.length > 0 ? people : ["somebody"]) }),
      () => ({ team: { $in: random.some(TEAMS, 2) } }),
      () => ({ n: { $gte: random.below(20) } }),
      () => ({ rank: random.below(4) }),
      () => ({ title: { $startsWith: random.pick(["a", "b"]) } }),
      () => ({ open: { $ne: true } }),
      () => ({ _id: { $in: Array.from({ length: 6 }, () => idOf("notes", random.below(IDS))) } }),
    ])();
  return random.chance(25) ? { $or: [one(), one()] } : one();
}

export const TEAMS = ["red", "green", "blue", "grey", "pink"];
