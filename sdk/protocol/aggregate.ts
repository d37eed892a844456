import { parseBound } from "./bound.ts";
import type { Faults } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import { parseMembers, placeOf } from "./members.ts";
import { parseNameList } from "./name-list.ts";
import type { Path } from "./paths.ts";
import { parsePlainPath } from "./paths.ts";
import type { Value } from "./values.ts";
import { keyFault } from "./values.ts";

/** What an aggregate asks for beside its filter; query-language.md 5.6. Made by {@link parseAggregate}. */
export interface Aggregate {
  readonly group: readonly Path[];
  readonly out: readonly Output[];
  /** By outputs; ties are in order of the key. */
  readonly sort: readonly { readonly output: string; readonly descending: boolean }[];
  readonly limit: number;
}

/** One output of each group, in the order written. */
export type Output =
  | { readonly name: string; readonly op: "count" }
  | { readonly name: string; readonly op: "sum" | "avg" | "min" | "max"; readonly path: Path };

/** Every path that an aggregate reads. */
export function aggregatePaths({ group, out }: Aggregate): readonly Path[] {
  return [...group, ...out.flatMap((output) => (output.op === "count" ? [] : [output.path]))];
}

/** One row of the answer: a value for each group path, and the outputs by name. */
export interface Group {
  readonly key: readonly Value[];
  readonly out: Readonly<Record<string, Value>>;
}

/**
 * Reads `{group, out, sort?, limit?}`; its `filter` is read by filter.ts. No group paths is one group of everything.
 *
 * @param at where it stands, for faults; empty for a request's body
 */
export function parseAggregate(input: unknown, at: string, faults: Faults): Aggregate {
  const members = parseMembers(input, at, ["filter", "group", "out", "sort", "limit"], faults);
  const out = members ? parseOutputs(members.get("out"), placeOf(at, "out"), faults) : [];
  return {
    group: parseGroup(members?.get("group"), placeOf(at, "group"), faults),
    out,
    sort: parseOutputSort(members?.get("sort"), placeOf(at, "sort"), out, faults),
    limit: parseBound(
      members?.get("limit"),
      placeOf(at, "limit"),
      { fallback: LIMITS.groupsReturned, max: LIMITS.groupsReturned },
      faults,
    ),
  };
}

function parseGroup(input: unknown, at: string, faults: Faults): Path[] {
  if (typeof input === "string") {
    faults.add(at, "bad_operand", "expects a list of paths");
    return [];
  }
  return parseNameList(input, at, LIMITS.groupPaths, faults).map((name) => parsePlainPath(name.text, name.at, faults));
}

function parseOutputs(input: unknown, at: string, faults: Faults): Output[] {
  if (input === undefined) {
    faults.add(at, "missing_member", 'expects the outputs, as in {"total": {"sum": "amount"}}');
    return [];
  }
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    faults.add(at, "bad_operand", 'expects an object of outputs, as in {"total": {"sum": "amount"}}');
    return [];
  }
  const entries: [string, unknown][] = Object.entries(input);
  if (entries.length > LIMITS.aggregateOutputs) {
    faults.add(at, "too_many_values", `expects at most ${LIMITS.aggregateOutputs} outputs`);
  }
  return entries.slice(0, LIMITS.aggregateOutputs).flatMap(([name, output]) => {
    const place = `${at}.${name.slice(0, 40)}`;
    if (!/^[A-Za-z][A-Za-z0-9_]{0,31}$/.test(name) || keyFault(name)) {
      faults.add(place, "bad_operand", "expects a name of 1 to 32 letters, digits and _ that starts with a letter");
    }
    return parseOutput(name, output, place, faults) ?? [];
  });
}

function parseOutput(name: string, input: unknown, at: string, faults: Faults): Output | undefined {
  const entries: [string, unknown][] = typeof input === "object" && input !== null ? Object.entries(input) : [];
  const [entry] = entries;
  if (!entry || entries.length > 1 || Array.isArray(input)) {
    faults.add(at, "bad_operand", 'expects {"count": true}, or one of sum, avg, min, max with a path');
    return undefined;
  }
  const [op, operand] = entry;
  switch (op) {
    case "count":
      if (operand === true) return { name, op };
      faults.add(`${at}.count`, "bad_operand", "expects true");
      return undefined;
    case "sum":
    case "avg":
    case "min":
    case "max":
      if (typeof operand === "string") return { name, op, path: parsePlainPath(operand, `${at}.${op}`, faults) };
      faults.add(`${at}.${op}`, "bad_operand", "expects a path as text");
      return undefined;
    default:
      faults.add(`${at}.${op.slice(0, 40)}`, "unknown_operator", "expects one of count, sum, avg, min, max");
      return undefined;
  }
}

function parseOutputSort(input: unknown, at: string, out: readonly Output[], faults: Faults): Aggregate["sort"] {
  const sort = parseNameList(input, at, LIMITS.sortKeys, faults).map((name) => {
    const descending = name.text.startsWith("-");
    const output = descending ? name.text.slice(1) : name.text;
    if (!out.some((known) => known.name === output)) {
      faults.add(
        name.at,
        "bad_operand",
        `${JSON.stringify(output.slice(0, 40))} is not an output: groups sort by outputs`,
      );
    }
    return { output, descending };
  });
  if (new Set(sort.map((key) => key.output)).size < sort.length) {
    faults.add(at, "bad_operand", "names an output twice");
  }
  return sort;
}
