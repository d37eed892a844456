import type { Document, ObjectValue, Value } from "#protocol/values";
import { encodeValue } from "#protocol/values";
import { type Random, TRAP_SCALARS } from "../support/trap-pool.ts";

/** The few values of one round: so few that documents, literals and keys meet all the time. */
export interface Pool {
  readonly random: Random;
  readonly scalars: readonly Value[];
  /** How many of a hundred values are arrays, and how many objects. */
  readonly arrays: number;
  readonly objects: number;
  /** How many of a hundred documents hold, in `a`, objects with the same fields, as orders hold lines; in `b`, tags. */
  readonly rows: number;
  /** Arrays and objects that documents hold, for literals that equal one. */
  readonly samples: Value[];
}

/** Paths of filters and updates. Numeric segments and a lookalike ("00") stand among them. */
export const PATHS = ["a", "b", "c", "a.b", "a.c", "a.b.c", "b.a", "a.0", "a.1", "a.0.b", "a.b.0", "a.00", "0"];
/** Paths of sorts, indexes, distinct and groups, where numeric segments are refused. */
export const PLAIN_PATHS = ["a", "b", "c", "a.b", "a.c", "a.b.c", "b.a"];
export const SERVER_PATHS = ["_id", "_v", "_createdAt"];

const SAMPLES = 12;
const TOP_KEYS = ["a", "b", "c", "0"];
const INNER_KEYS = ["b", "c", "a", "0", "1"];

export function makePool(random: Random): Pool {
  const scalars: Value[] = [null, 1, "a", "ab"];
  // Neighbours of the list are neighbours in some order or encoding, so whole stretches of it are taken.
  for (let stretches = 1 + random.below(3); stretches > 0; stretches--) {
    const start = random.below(TRAP_SCALARS.length);
    scalars.push(...TRAP_SCALARS.slice(start, start + 4));
  }
  // Without arrays indexes are read in other ways than with some, or with a first one that comes later.
  return {
    random,
    scalars,
    arrays: random.pick([0, 1, 8, 25]),
    objects: random.pick([10, 20, 40]),
    rows: random.pick([0, 0, 2, 60]),
    samples: [],
  };
}

/** A value of any class, nested at most `depth` levels. */
export function makeValue(pool: Pool, depth: number): Value {
  const { random, arrays, objects } = pool;
  const roll = depth === 0 ? 100 : random.below(100);
  if (roll >= arrays + objects) return random.pick(pool.scalars);
  const value =
    roll < arrays
      ? Array.from({ length: random.below(4) }, () => makeValue(pool, depth - 1))
      : makeObject(pool, INNER_KEYS, depth - 1);
  if (random.chance(20)) pool.samples[random.below(SAMPLES)] = value;
  return value;
}

function makeObject(pool: Pool, names: readonly string[], depth: number): ObjectValue {
  const { random } = pool;
  const object: Record<string, Value> = {};
  for (const name of random.some(names, random.below(4))) object[name] = makeValue(pool, depth);
  return object;
}

function makeRows(pool: Pool): Value {
  const { random, scalars } = pool;
  const cell = () => (random.chance(10) ? makeValue(pool, 1) : random.pick(scalars.slice(0, 5)));
  return Array.from({ length: random.below(4) }, () => {
    const row = { b: cell(), c: cell() };
    return random.chance(80) ? row : makeValue(pool, 1);
  });
}

/** What JSON holds of a value: tags in place of dates, binaries and int64. A -0 stays, to be made 0 by who reads it. */
export function wire(value: Value): unknown {
  if (Object.is(value, -0)) return -0;
  return JSON.parse(encodeValue(value));
}

const DATES = [new Date(0), new Date(1_000), new Date("2026-01-31T10:00:00.000Z")];
const ID_CHARACTERS = ["a", "A", "0", "9", "_", "~", ".", ":", "@", "-", "z"];

/** A document with data from the pool. Its id is short, so that ids sort among one another by every character. */
export function makeDocument(pool: Pool, taken: ReadonlySet<string>, version: number): Document {
  const { random } = pool;
  let id = "";
  while (id === "" || id === "." || id === ".." || taken.has(id)) id += random.pick(ID_CHARACTERS);
  const data = makeObject(pool, TOP_KEYS, 2);
  return withServerFields(
    random.chance(pool.rows) ? { ...data, a: makeRows(pool) } : data,
    id,
    version,
    random.pick(DATES),
  );
}

export function withServerFields(data: ObjectValue, id: string, version: number, createdAt: Date): Document {
  return { _id: id, _v: version, _createdAt: createdAt, _updatedAt: createdAt, ...clean(data) };
}

/** Makes every -0 a 0, as reading a document does. */
function clean(object: ObjectValue): ObjectValue {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, cleanValue(value)]));
}

function cleanValue(value: Value): Value {
  if (value === 0) return 0;
  if (Array.isArray(value)) return value.map(cleanValue);
  if (typeof value !== "object" || value === null || value instanceof Date || value instanceof Uint8Array) return value;
  return clean(value as ObjectValue);
}
