import type { Db } from "mongodb";
import { Faults } from "#protocol/errors";
import { parseFilter } from "#protocol/filter";
import { normalise } from "#protocol/normalise";
import { parseSort } from "#protocol/sort";
import { findInMongod, findInProcess, type Held, hold } from "./mongod-find.ts";
import type { Grid } from "./operand-grid.ts";

/** Filters on their way to mongod at once. */
const WINDOW = 20;

/**
 * Asks every filter of a grid of the evaluator and of mongod, there without an index and with one on `a`.
 *
 * @returns the differences, one line each
 */
export async function compareGrid(db: Db, { documents, filters }: Grid): Promise<string[]> {
  const plain = await hold(db, documents, []);
  const indexed = await hold(db, documents, [{ path: ["a"], descending: false }]);
  const differences: string[] = [];
  for (let start = 0; start < filters.length; start += WINDOW) {
    const asked = filters.slice(start, start + WINDOW).map((filter) => judge([plain, indexed], filter));
    differences.push(...(await Promise.all(asked)).flat());
  }
  return differences;
}

/** @param lanes that hold the same documents: an index on one path leaves none out */
async function judge(lanes: readonly [Held, Held], filter: unknown): Promise<string[]> {
  const faults = new Faults();
  const node = normalise(parseFilter(structuredClone(filter), "filter", faults));
  const sort = parseSort([], "sort", faults);
  faults.throwIfAny();
  const evaluator = findInProcess(lanes[0].documents, node, sort).join();
  const differences = lanes.map(async (held) => {
    const mongod = (await findInMongod(held, node, sort)).join();
    const by = typeof held.hint === "string" ? "by an index" : "without an index";
    return mongod === evaluator ? [] : [`${JSON.stringify(filter)} ${by}: mongod ${mongod}, evaluator ${evaluator}`];
  });
  return (await Promise.all(differences)).flat();
}
