import type { Db } from "mongodb";
import type { Node, SortKey } from "#protocol/ast";
import { Faults } from "#protocol/errors";
import { parseFilter } from "#protocol/filter";
import { compileFilter } from "#protocol/match";
import { normalise } from "#protocol/normalise";
import { parseSort, parseSortKey } from "#protocol/sort";
import { decodeValue, encodeValue } from "#protocol/values";
import { randomDocument, randomFilter } from "../support/filter-generator.ts";
import { Random } from "../support/trap-pool.ts";
import { makeFilter, type WireFilter } from "./filters.ts";
import { findInMongod, findInProcess, type Held, hold, type Stored } from "./mongod-find.ts";
import { makeDocument, makePool, PLAIN_PATHS, type Pool } from "./pool.ts";
import { shrink } from "./shrink.ts";

const DOCUMENTS = 250;
const QUESTIONS = 100;
/** Questions on their way to mongod at once. */
const WINDOW = 10;

/** One question over some documents, as JSON. */
interface Trial {
  readonly documents: readonly unknown[];
  readonly filter: WireFilter;
  readonly sort: readonly string[];
  /** Paths of the index that mongod must use; empty for none. */
  readonly index: readonly string[];
}

interface Question {
  readonly wire: Pick<Trial, "filter" | "sort">;
  readonly filter: Node;
  readonly sort: readonly SortKey[];
}

/**
 * Asks random filters and sorts of the evaluator and of mongod, there without and with a random index, over 250 random
 * documents a hundred questions, and stops at the first difference.
 *
 * @param options.cases how many filters to ask at least; `seed` is the first round's, each further one has the next
 * @returns how many were asked, and the report of the difference, made small, if there was one
 */
export async function compareFinds(
  db: Db,
  options: { readonly cases: number; readonly seed: number; readonly progress?: (asked: number) => void },
): Promise<{ asked: number; report?: string }> {
  let asked = 0;
  for (let seed = options.seed; asked < options.cases; seed++) {
    const trial = await runRound(db, seed);
    if (trial) return { asked, report: await report(db, seed, trial) };
    asked += QUESTIONS;
    options.progress?.(asked);
  }
  return { asked };
}

async function runRound(db: Db, seed: number): Promise<Trial | undefined> {
  const random = new Random(seed);
  const source = random.chance(60) ? fromPool(random) : fromGenerator(random);
  const { documents } = source;
  await db.dropDatabase(); // An index that has once seen an array is never again read as one without.
  const indexes = [makeSort(random, 1), makeSort(random, 2 + random.below(2))];
  const plain = await hold(db, documents, []);
  const indexed = await Promise.all(indexes.map((index) => hold(db, documents, keysOf(index))));
  const questions = Array.from({ length: QUESTIONS }, () => ({
    question: makeQuestion(random, source),
    by: random.below(2),
  }));
  for (let start = 0; start < QUESTIONS; start += WINDOW) {
    const trials = questions.slice(start, start + WINDOW).map(async ({ question, by }) => {
      const found = await Promise.all([
        judge(plain, [], question),
        judge(indexed[by] as Held, indexes[by] ?? [], question),
      ]);
      return found.find((trial) => trial !== undefined);
    });
    const [trial] = (await Promise.all(trials)).filter((found) => found !== undefined);
    if (trial) return trial;
  }
  return undefined;
}

interface Source {
  readonly documents: readonly Stored[];
  readonly nextFilter: () => WireFilter;
}

/**
 * Values from stretches of neighbouring traps: with more arrays than documents commonly have, or with few but for rows,
 * so that sorts on several keys find documents without parallel arrays.
 */
function fromPool(random: Random): Source {
  const shape = random.chance(60) ? { arrays: random.pick([25, 40, 55]) } : { arrays: random.below(4), rows: 60 };
  const pool: Pool = { ...makePool(random), objects: 30, ...shape };
  const taken = new Set<string>();
  const documents = Array.from({ length: DOCUMENTS }, (_, i) => {
    const document = makeDocument(pool, taken, i + 1);
    taken.add(document._id);
    return document;
  });
  return { documents, nextFilter: () => makeFilter(pool, random.below(5)) };
}

/** Few values of every class, deep, with more odd paths. */
function fromGenerator(random: Random): Source {
  const documents = Array.from({ length: DOCUMENTS }, (_, i) => ({ _id: `d${i}`, ...randomDocument(random) }));
  return { documents, nextFilter: () => randomFilter(random, random.below(5)) };
}

/** A question whose filter tells some documents from others, if a few trials find one. */
function makeQuestion(random: Random, { documents, nextFilter }: Source): Question {
  const sort = random.chance(50) ? makeSort(random, 1 + random.below(3)) : [];
  for (let trials = 1; ; trials++) {
    const question = prepare({ filter: nextFilter(), sort });
    if (!question) continue;
    const found = documents.filter(compileFilter(question.filter)).length;
    if (trials >= 4 || (found > 0 && found < documents.length)) return question;
  }
}

function makeSort(random: Random, keys: number): string[] {
  return random.some(PLAIN_PATHS, keys).map((path) => (random.chance(50) ? path : `-${path}`));
}

/** Undefined if the parser refuses it: not every random filter is of the language. */
function prepare(wire: Question["wire"]): Question | undefined {
  const faults = new Faults();
  const filter = parseFilter(wire.filter, "filter", faults);
  const sort = parseSort([...wire.sort], "sort", faults);
  return faults.any ? undefined : { wire, filter: normalise(filter), sort };
}

function keysOf(index: readonly string[]): SortKey[] {
  const faults = new Faults();
  const keys = index.map((path) => parseSortKey(path, "index", faults));
  faults.throwIfAny();
  return keys;
}

async function judge(held: Held, index: readonly string[], question: Question): Promise<Trial | undefined> {
  const { filter, sort, wire } = question;
  const mongod = await findInMongod(held, filter, sort);
  const evaluator = findInProcess(held.documents, filter, sort);
  if (mongod.join() === evaluator.join()) return undefined;
  return { ...wire, index, documents: held.documents.map((document) => JSON.parse(encodeValue(document))) };
}

async function report(db: Db, seed: number, trial: Trial): Promise<string> {
  const small = (await shrink(trial, async (candidate) => (await rerun(db, candidate)) !== undefined)) as Trial;
  const { mongod = [], evaluator = [] } = (await rerun(db, small)) ?? {};
  const { documents, filter, sort, index } = small;
  return [
    `seed ${seed}: the evaluator differs from mongod, index ${JSON.stringify(index)}`,
    `as a filter case: ${JSON.stringify({ name: `seed ${seed}`, documents, filter, ...(sort.length > 0 && { sort }), ids: mongod })}`,
    `mongod:    ${mongod.join(" ")}`,
    `evaluator: ${evaluator.join(" ")}`,
  ].join("\n");
}

/** Both answers, if the candidate is a trial and they differ. */
async function rerun(db: Db, candidate: unknown): Promise<{ mongod: string[]; evaluator: string[] } | undefined> {
  const { documents, filter, sort, index } = candidate as Trial;
  const lists = [documents, sort, index].every(Array.isArray);
  if (!lists || ![...sort, ...index].every((path) => typeof path === "string")) return undefined;
  const question = prepare({ filter: structuredClone(filter), sort });
  const faults = new Faults();
  const stored = documents.map((document) => decodeValue(structuredClone(document), "document", faults) as Stored);
  const ids = new Set(stored.map((document) => document?._id));
  if (!question || faults.any || ids.size < stored.length || [...ids].some((id) => typeof id !== "string"))
    return undefined;
  const held = await hold(db, stored, keysOf(index));
  const mongod = await findInMongod(held, question.filter, question.sort);
  const evaluator = findInProcess(held.documents, question.filter, question.sort);
  return mongod.join() === evaluator.join() ? undefined : { mongod, evaluator };
}
