import { compare, type Found, MISSING, RANK, rankOf } from "./compare.ts";
import type { Value } from "./values.ts";

/** Tests equality (query-language.md 3.2) with one of many values, in about the time of one. */
export function memberTest(values: readonly Value[]): (found: Found) => boolean {
  const scalars = new Set<unknown>();
  const dates = new Set<number>();
  const others: Value[] = [];
  for (const value of values) {
    if (value instanceof Date) dates.add(value.getTime());
    else if (rankOf(value) === RANK.binary || rankOf(value) === RANK.array || rankOf(value) === RANK.object) {
      others.push(value);
    } else scalars.add(scalarKey(value));
  }
  others.sort(compare);
  return (found) => {
    if (typeof found !== "object" || found === null) return scalars.has(scalarKey(found));
    if (found instanceof Date) return dates.has(found.getTime());
    return others.length > 0 && contains(others, found);
  };
}

/** Equal scalars have one key: an int64 that a double holds exactly is that double, and missing is null. */
function scalarKey(value: Found): unknown {
  if (typeof value === "bigint") return BigInt(Number(value)) === value ? Number(value) : value;
  return value === MISSING ? null : value;
}

function contains(sorted: readonly Value[], found: Value): boolean {
  let low = 0;
  let high = sorted.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const order = compare(sorted[middle] as Value, found);
    if (order === 0) return true;
    if (order < 0) low = middle + 1;
    else high = middle - 1;
  }
  return false;
}
