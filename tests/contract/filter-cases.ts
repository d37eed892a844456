import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import t from "tap";
import type { Node, SortKey } from "#protocol/ast";
import { Faults, GalleyError } from "#protocol/errors";
import { parseFilter } from "#protocol/filter";
import { normalise } from "#protocol/normalise";
import { hasNumericSegment } from "#protocol/paths";
import { parseSort } from "#protocol/sort";
import type { ObjectValue } from "#protocol/values";
import { decodeValue } from "#protocol/values";
import { ROOT } from "../support/own-modules.ts";

/** One case as it is handed to an engine. `documents` have an `_id` and no other server field. */
export interface FilterCase {
  readonly documents: readonly ObjectValue[];
  readonly filter: Node;
  readonly sort: readonly SortKey[];
  /** The first path of the filter that an index may have, to run the case once more with one. */
  readonly indexPath: string | undefined;
}

interface Recorded {
  readonly name: string;
  readonly documents: unknown[];
  readonly filter: unknown;
  readonly sort?: readonly string[];
  readonly ids?: readonly string[];
  /** The code of the fault with which the query must fail. */
  readonly error?: string;
}

/**
 * Runs the cases that were recorded from a real mongod (query-language.md, appendix), in one test.
 *
 * @param ids the ids that the engine finds, in the order of `sort`; rejects with the engine's GalleyError if it fails
 */
export function runFilterCases(engine: string, ids: (run: FilterCase) => string[] | Promise<string[]>): void {
  t.test(`${engine}: every recorded case answers as mongod did`, async (t) => {
    const differences: object[] = [];
    for (const recorded of readCases()) {
      const run = prepare(recorded);
      const wanted = recorded.error ?? recorded.ids;
      const found = recorded.error === undefined ? await ids(run) : (await failure(ids, run))?.[0]?.code;
      if (!isDeepStrictEqual(found, wanted)) differences.push({ name: recorded.name, found, wanted });
    }
    t.strictSame(differences, []);
  });
}

function readCases(): Recorded[] {
  return JSON.parse(readFileSync(join(ROOT, "tests/contract/filter-cases.json"), "utf8")) as Recorded[];
}

function prepare(recorded: Recorded): FilterCase {
  const faults = new Faults();
  const documents = recorded.documents.map((document) => decodeValue(document, "document", faults) as ObjectValue);
  const filter = normalise(parseFilter(recorded.filter, "filter", faults));
  // Without a sort the recorded ids ascend, which is the order of the empty sort.
  const sort = parseSort(recorded.sort ?? [], "sort", faults);
  faults.throwIfAny();
  const indexPath = pathsOf(filter)
    .find((path) => !hasNumericSegment(path))
    ?.join(".");
  return { documents, filter, sort, indexPath };
}

function pathsOf(node: Node): (readonly string[])[] {
  switch (node.kind) {
    case "true":
    case "false":
      return [];
    case "and":
    case "or":
      return node.of.flatMap(pathsOf);
    case "not":
      return [node.of.path];
    default:
      return [node.path];
  }
}

async function failure(ids: (run: FilterCase) => string[] | Promise<string[]>, run: FilterCase) {
  try {
    await ids(run);
  } catch (error) {
    if (error instanceof GalleyError) return error.details.faults;
    throw error;
  }
  return undefined;
}
