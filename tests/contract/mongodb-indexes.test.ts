/** What MongoDB's own indexes say of documents is what ours say: else engines would refuse different writes. */
import { type Collection, MongoBulkWriteError, MongoClient } from "mongodb";
import t from "tap";
import type { ObjectValue, Value } from "#protocol/values";
import { encodeValue } from "#protocol/values";
import { type IndexRows, indexRowsOf } from "../../server/stores/index-rows.ts";
import { indexSpec } from "../../server/stores/mongodb/index-spec.ts";
import { BSON_OPTIONS } from "../../server/stores/mongodb/values.ts";
import { indexKeys } from "../../server/stores/plan.ts";
import { useMongod } from "../support/mongod.ts";
import { chooseSeed } from "../support/seeded.ts";
import { Random, TRAP_SCALARS, trapValue } from "../support/trap-pool.ts";

const DEFINITIONS = [
  ["a"],
  ["-a", "b"],
  ["a.b"],
  ["a.b", "a.c"],
  ["a.b", "c"],
  ["a", "-b", "c"],
  ["a.b.c"],
  ["a", "a.b"],
  ["a.a", "-a.b", "b.a"],
];
const ROUNDS = 120;
const DUPLICATE_KEY = 11_000;
const PARALLEL_ARRAYS = 171;

const mongod = await useMongod(t);
if (mongod) {
  const client = new MongoClient(mongod.url, { ...BSON_OPTIONS, writeConcern: { w: 1, journal: false } });
  t.teardown(() => client.close());
  const seed = chooseSeed();
  t.comment(`seed ${seed}`);
  const random = new Random(seed);
  let clashes = 0;

  for (const paths of DEFINITIONS) {
    for (const unique of [true, false]) {
      t.test(`${unique ? "unique " : ""}${paths}: MongoDB clashes, and refuses, where we do`, async (t) => {
        const definition = { paths, ...(unique && { unique }) };
        const collection = await client.db().createCollection<{ _id: string }>(`${paths.join("_")}_${unique}`);
        const { key, ...options } = indexSpec(definition);
        await collection.createIndex(key, options);
        const rowsOf = indexRowsOf({ keys: indexKeys(definition), unique });
        const pairs = Array.from({ length: ROUNDS }, () => {
          const first = document(random);
          return [first, random.chance(30) ? changed(random, first) : document(random)] as const;
        });
        // Only where documents may meet has each pair to be alone.
        const ends = unique ? await insertEach(collection, pairs) : pairsOf(await insertAll(collection, pairs.flat()));
        for (const [round, [first, second]] of pairs.entries()) {
          const [one, other] = [rowsOf(first), rowsOf(second)];
          const wanted = [unfit(one), unfit(other) ?? (meet(one, other) && unique ? DUPLICATE_KEY : undefined)];
          if (wanted[1] === DUPLICATE_KEY) clashes += 1;
          const fits = wanted.every((end, i) => end === ends[round]?.[i]);
          if (!fits) t.strictSame(ends[round], wanted, `${encodeValue(first)} and ${encodeValue(second)}`);
        }
        t.pass(`${ROUNDS} pairs`);
      });
    }
  }
  t.test("enough of them clash", async (t) => void t.ok(clashes > 20, `${clashes} clashes`));
}

/** Inserts documents, one whatever becomes of the others; the error code of each, undefined where there is none. */
async function insertAll(
  collection: Collection<{ _id: string }>,
  documents: readonly ObjectValue[],
): Promise<(number | undefined)[]> {
  const codes = documents.map((): number | undefined => undefined);
  const stored = documents.map((document, i) => ({ _id: `d${i}`, ...document }));
  await collection.insertMany(stored, { ordered: false }).catch((error: unknown) => {
    if (!(error instanceof MongoBulkWriteError)) throw error;
    for (const { index, code } of [error.writeErrors].flat()) codes[index] = Number(code);
  });
  return codes;
}

async function insertEach(
  collection: Collection<{ _id: string }>,
  pairs: readonly (readonly ObjectValue[])[],
): Promise<(number | undefined)[][]> {
  const codes: (number | undefined)[][] = [];
  for (const pair of pairs) {
    codes.push(await insertAll(collection, pair));
    await collection.deleteMany({});
  }
  return codes;
}

function pairsOf<T>(list: readonly T[]): T[][] {
  return Array.from({ length: list.length / 2 }, (_, i) => list.slice(2 * i, 2 * i + 2));
}

/** Few scalars, so that documents meet, but each of those that are easily taken for another. */
function document(random: Random): ObjectValue {
  const scalars = random.chance(50) ? TRAP_SCALARS : [null, 1, 1n, true, "a", [], 2 ** 53, 2n ** 53n + 1n, new Date(0)];
  const made: Record<string, Value> = {};
  for (const name of ["a", "b", "c"]) if (random.chance(70)) made[name] = part(random, 2, scalars);
  return made;
}

function part(random: Random, depth: number, scalars: readonly Value[]): Value {
  if (depth === 0 || random.chance(40)) return trapValue(random, 0, scalars);
  if (random.chance(50)) return Array.from({ length: random.below(3) }, () => part(random, depth - 1, scalars));
  const made: Record<string, Value> = {};
  for (const name of ["a", "b", "c"]) if (random.chance(60)) made[name] = part(random, depth - 1, scalars);
  return made;
}

/** The same document but for one member. */
function changed(random: Random, before: ObjectValue): ObjectValue {
  return { ...before, [random.pick(["a", "b", "c", "z"])]: part(random, 2, [null, 1, 1n, "a"]) };
}

function unfit(rows: IndexRows | string): number | undefined {
  return rows === "parallel_arrays" ? PARALLEL_ARRAYS : undefined;
}

function meet(one: IndexRows | string, other: IndexRows | string): boolean {
  if (typeof one === "string" || typeof other === "string") return false;
  const keys = new Set(one.keys.map((key) => key.toString("latin1")));
  return other.keys.some((key) => keys.has(key.toString("latin1")));
}
