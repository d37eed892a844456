import type { SortKey } from "./ast.ts";
import type { Key } from "./compare.ts";
import { compare } from "./compare.ts";
import type { Faults } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import { parseNameList } from "./name-list.ts";
import { parsePlainPath } from "./paths.ts";
import { eachTuple, plainKey } from "./tuples.ts";
import type { ObjectValue } from "./values.ts";

/**
 * Reads a sort: `["-_createdAt", "title"]`, or one text with commas; absent or empty sorts by `_id`. `_id` is appended
 * in the last key's direction, so no two documents ever tie.
 */
export function parseSort(input: unknown, at: string, faults: Faults): SortKey[] {
  const keys: SortKey[] = [];
  const seen = new Set<string>();
  let ended = false;
  for (const name of parseNameList(input, at, LIMITS.sortKeys, faults)) {
    if (ended) {
      faults.add(name.at, "sort_after_id", 'nothing may follow "_id": no two documents share one');
      break;
    }
    const key = parseSortKey(name.text, name.at, faults);
    const path = key.path.join(".");
    if (seen.has(path)) faults.add(name.at, "bad_operand", `${JSON.stringify(path)} is sorted by twice`);
    seen.add(path);
    ended = path === "_id";
    keys.push(key);
  }
  if (!ended) keys.push({ path: ["_id"], descending: keys.at(-1)?.descending ?? false });
  return keys;
}

/** Reads one key of a sort or an index: a dotted path, `-` in front for descending. */
export function parseSortKey(text: string, at: string, faults: Faults): SortKey {
  const descending = text.startsWith("-");
  const name = descending ? text.slice(1) : text;
  if (name.startsWith("-") || name.includes(",")) {
    faults.add(at, "bad_path", 'a name that starts with "-" or holds "," cannot be sorted by');
  }
  return { path: parsePlainPath(name, at, faults), descending };
}

/**
 * The sort key of a document: its least tuple under the sort's directions, one part a key.
 *
 * @returns undefined if the document has two different arrays on the sort's paths (`sort_parallel_arrays`)
 */
export function sortKeyOf(sort: readonly SortKey[], value: ObjectValue): Key[] | undefined {
  const key: Key[] = [];
  for (const { path } of sort) {
    const found = plainKey(path, value);
    if (found === undefined) return leastTuple(sort, value);
    key.push(found);
  }
  return key;
}

function leastTuple(sort: readonly SortKey[], value: ObjectValue): Key[] | undefined {
  const paths = sort.map(({ path }) => path);
  let least: Key[] | undefined;
  const fits = eachTuple(paths, value, (tuple) => {
    if (!least || compareKeys(sort, tuple, least) < 0) least = tuple;
  });
  return fits ? least : undefined;
}

/** Orders two sort keys: negative if `a` comes first. A total order, since the last part is the `_id`. */
export function compareKeys(sort: readonly SortKey[], a: readonly Key[], b: readonly Key[]): number {
  for (let i = 0; i < sort.length; i++) {
    const order = compare(a[i] as Key, b[i] as Key);
    if (order !== 0) return (sort[i] as SortKey).descending ? -order : order;
  }
  return 0;
}
