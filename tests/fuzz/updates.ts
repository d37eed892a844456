import { Faults, GalleyError } from "#protocol/errors";
import { applyUpdate, parseUpdate } from "#protocol/update";
import type { Document, ObjectValue } from "#protocol/values";
import { literal, makeElemMatch } from "./filters.ts";
import { PATHS, PLAIN_PATHS, type Pool, wire } from "./pool.ts";

type Make = (pool: Pool) => unknown;

const OPERATORS: readonly [name: string, make: Make][] = [
  ["$set", literal],
  ["$set", literal],
  ["$inc", number],
  ["$mul", number],
  ["$min", literal],
  ["$max", literal],
  ["$push", push],
  ["$addToSet", (pool) => ({ $each: [literal(pool), literal(pool)] })],
  ["$pull", (pool) => (pool.random.chance(50) ? anyScalar(pool) : makeElemMatch(pool, 1))],
  ["$pullAll", (pool) => [literal(pool), anyScalar(pool)]],
  ["$pop", ({ random }) => random.pick([1, -1])],
  ["$rename", ({ random }) => random.pick(PLAIN_PATHS)],
];

/** An update as a client writes it; it may be faulty, or not fit a document. */
export function makeUpdate(pool: Pool): Record<string, unknown> {
  const { random } = pool;
  const update: Record<string, Record<string, unknown>> = {};
  for (let i = 0; i < 1 + random.below(3); i++) {
    const [name, make] = random.pick(OPERATORS);
    const path =
      random.chance(15) && name !== "$rename" ? random.pick(["a.$[]", "a.$[].b", "b.$[]"]) : random.pick(PATHS);
    update[name] = { ...update[name], [path]: make(pool) };
  }
  return random.chance(20) ? { ...update, $unset: [random.pick(PATHS)] } : update;
}

/** The document after some update that fits it; the document itself if none of a few did. */
export function updateDocument(pool: Pool, document: Document): ObjectValue {
  for (let i = 0; i < 5; i++) {
    const faults = new Faults();
    try {
      const update = parseUpdate(makeUpdate(pool), "update", faults);
      if (!faults.any) return applyUpdate(update, document, { now: new Date(0), inserting: false });
    } catch (error) {
      if (!(error instanceof GalleyError)) throw error;
    }
  }
  return document;
}

function anyScalar(pool: Pool): unknown {
  return wire(pool.random.pick(pool.scalars));
}

function number({ random, scalars }: Pool): unknown {
  const numbers = scalars.filter((value) => typeof value === "number" || typeof value === "bigint");
  return wire(random.pick(numbers));
}

function push(pool: Pool): unknown {
  const { random } = pool;
  if (random.chance(40)) return literal(pool);
  return {
    $each: [literal(pool), literal(pool)].slice(random.below(3)),
    ...(random.chance(50) && { $position: random.below(7) - 3 }),
    ...(random.chance(40) && { $sort: random.pick<unknown>([1, -1, ["b"], ["-b", "c"]]) }),
    ...(random.chance(40) && { $slice: random.below(7) - 3 }),
  };
}
