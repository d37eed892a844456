import { type AnyBulkWriteOperation, type Db, type Document, MongoBulkWriteError } from "mongodb";
import { Faults, GalleyError } from "#protocol/errors";
import { normalNumbers } from "#protocol/normal-numbers";
import { applyUpdate, parseUpdate } from "#protocol/update";
import type { Update } from "#protocol/update-ast";
import { decodeValue, encodeValue, isObjectValue, type ObjectValue, type Value } from "#protocol/values";
import { fromBson } from "../../server/stores/mongodb/values.ts";
import { Random } from "../support/trap-pool.ts";
import { makeElemMatch } from "./filters.ts";
import type { Stored } from "./mongod-find.ts";
import { isShared, storedForm, toMongoUpdate } from "./mongod-update.ts";
import { makeDocument, makePool, type Pool } from "./pool.ts";
import { shrink } from "./shrink.ts";
import { makeUpdate } from "./updates.ts";

const DOCUMENTS = 250;

/** One document and an update of it, as JSON. */
interface Trial {
  readonly document: unknown;
  readonly update: Record<string, unknown>;
}

/** A trial that both sides can run. */
interface Prepared extends Trial {
  readonly stored: Stored;
  readonly parsed: Update;
  /** The canonical text of what we make of it. */
  readonly expected: string;
}

/**
 * Updates random documents by `applyUpdate` and by mongod's `updateOne`, where we give no error and MongoDB means the
 * same, and stops at the first difference. Key order is not compared: MongoDB adds new keys sorted.
 *
 * @param options.cases how many updates to compare at least; `seed` is the first round's, each further one has the next
 */
export async function compareUpdates(
  db: Db,
  options: { readonly cases: number; readonly seed: number; readonly progress?: (compared: number) => void },
): Promise<{ compared: number; report?: string }> {
  let compared = 0;
  for (let seed = options.seed; compared < options.cases; seed++) {
    const trials = makeTrials(new Random(seed));
    const answers = await runInMongod(db, trials);
    const different = trials.find(({ expected }, i) => expected !== answers[i]);
    if (different) return { compared, report: await report(db, seed, different) };
    compared += trials.length;
    options.progress?.(compared);
  }
  return { compared };
}

function makeTrials(random: Random): Prepared[] {
  const pool: Pool = { ...makePool(random), arrays: random.pick([25, 50]), objects: 30 };
  const taken = new Set<string>();
  const trials: Prepared[] = [];
  while (trials.length < DOCUMENTS) {
    const document = makeDocument(pool, taken, trials.length + 1);
    const trial = prepare({ document: JSON.parse(encodeValue(document)), update: makeSharedUpdate(pool) });
    if (!trial) continue;
    trials.push(trial);
    taken.add(document._id);
  }
  return trials;
}

function makeSharedUpdate(pool: Pool): Record<string, unknown> {
  const update = makeUpdate(pool);
  if (!pool.random.chance(10)) return update;
  return { ...update, $set: { "a.$[x]": null }, $arrayFilters: { x: makeElemMatch(pool, 1) } };
}

/** Undefined if we refuse the update of this document, or mean by it what MongoDB does not. */
function prepare(trial: Trial): Prepared | undefined {
  const faults = new Faults();
  const stored = decodeValue(structuredClone(trial.document), "document", faults) as Stored;
  try {
    const parsed = parseUpdate(structuredClone(trial.update), "update", faults);
    if (faults.any || typeof stored?._id !== "string" || !isShared(parsed, stored) || !toMongoUpdate(parsed))
      return undefined;
    const result = applyUpdate(parsed, stored, { now: new Date(0), inserting: false });
    return { ...trial, stored, parsed, expected: comparable(result) };
  } catch (error) {
    if (error instanceof GalleyError) return undefined;
    throw error;
  }
}

/** What is an error of MongoDB and has a plain meaning in the language. */
const REFUSED_BY_MONGODB_ALONE: readonly RegExp[] = [
  // `$[]` and `$[x]` where nothing stands do nothing.
  /must exist in the document in order to apply array updates/,
  // A source of `$rename` behind a scalar is missing, so nothing is moved.
  /cannot use the part .* to traverse the element/,
  // `a.0.b` and `a.$[].c` are two places.
  /would create a conflict at/,
];

/** What mongod makes of each document. */
async function runInMongod(db: Db, trials: readonly Prepared[]): Promise<string[]> {
  const rows = db.collection<{ _id: string }>("updated");
  await rows.drop();
  await rows.insertMany(trials.map(({ stored }) => storedForm(stored) as { _id: string }));
  const operations = trials.map(({ stored, parsed }): AnyBulkWriteOperation<{ _id: string }> => {
    const { update, arrayFilters } = toMongoUpdate(parsed) ?? { update: {}, arrayFilters: [] };
    return { updateOne: { filter: { _id: stored._id }, update, arrayFilters } };
  });
  const errors = await errorsOf(rows.bulkWrite(operations, { ordered: false }));
  const found = await rows.find({}, { batchSize: 1000 }).toArray();
  const byId = new Map(found.map((document: Document) => [document._id as string, comparable(fromBson(document))]));
  return trials.map(({ stored, expected }, i) => {
    const error = errors.get(i);
    if (error && REFUSED_BY_MONGODB_ALONE.some((pattern) => pattern.test(error))) return expected;
    return error ?? byId.get(stored._id) ?? "gone";
  });
}

async function errorsOf(write: Promise<unknown>): Promise<Map<number, string>> {
  try {
    await write;
    return new Map();
  } catch (error) {
    if (!(error instanceof MongoBulkWriteError)) throw error;
    const list = Array.isArray(error.writeErrors) ? error.writeErrors : [error.writeErrors];
    return new Map(list.map(({ index, errmsg }) => [index, `mongod: ${errmsg}`]));
  }
}

/** Canonical text with the keys of every object sorted, and int64 that a double holds as that double. */
function comparable(document: ObjectValue): string {
  return encodeValue(withSortedKeys(normalNumbers(document)));
}

function withSortedKeys(value: Value): Value {
  if (Array.isArray(value)) return value.map(withSortedKeys);
  if (!isObjectValue(value)) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, withSortedKeys(inner)]));
}

async function report(db: Db, seed: number, trial: Trial): Promise<string> {
  const start: Trial = { document: trial.document, update: trial.update };
  const small = await shrink(start, async (candidate) => (await rerun(db, candidate)) !== undefined);
  const { mongod, ours } = (await rerun(db, small)) ?? { mongod: "the same", ours: "the same" };
  return `seed ${seed}: ${JSON.stringify(small)}\nmongod: ${mongod}\nours:   ${ours}`;
}

async function rerun(db: Db, candidate: unknown): Promise<{ mongod: string; ours: string } | undefined> {
  const trial = prepare(candidate as Trial);
  if (!trial) return undefined;
  const [mongod = ""] = await runInMongod(db, [trial]);
  return mongod === trial.expected ? undefined : { mongod, ours: trial.expected };
}
