/** Counts, distinct values and aggregates in plain code, over fields whose values JSON writes as they are. */
import { compare } from "#protocol/compare";
import type { Value } from "#protocol/values";
import type { Fields } from "./rules.ts";

/** What a question answers, given all that matches. */
export type Computation = (documents: readonly Fields[]) => object;

export const countAll: Computation = ({ length }) => ({ count: length, more: false });

export function distinctOf(field: string): Computation {
  return (documents) => {
    const values = new Set<Value>();
    for (const { [field]: value } of documents) {
      if (value === undefined) continue;
      for (const one of Array.isArray(value) ? value : [value]) values.add(one as Value);
    }
    return { values: [...values].sort(compare), more: false };
  };
}

export type Output = { readonly count: true } | { readonly [op in "sum" | "avg" | "min" | "max"]?: string };

export interface AggregateBody {
  readonly group: readonly string[];
  readonly out: Readonly<Record<string, Output>>;
  /** One output; descending with a minus. */
  readonly sort?: string;
  readonly limit?: number;
}

interface Group {
  readonly key: readonly Value[];
  readonly of: Fields[];
}

export function aggregateOf({ group, out, sort, limit = Number.POSITIVE_INFINITY }: AggregateBody): Computation {
  const isDescending = sort?.startsWith("-") === true;
  const first = isDescending ? sort?.slice(1) : sort;
  return (documents) => {
    const groups = groupBy(documents, group).map(({ key, of }) => ({
      key,
      out: Object.fromEntries(Object.entries(out).map(([name, output]) => [name, resultOf(output, of)])),
    }));
    groups.sort((a, b) => {
      const order = first === undefined ? 0 : compare(a.out[first] ?? null, b.out[first] ?? null);
      return (isDescending ? -order : order) || compare(a.key, b.key);
    });
    return { groups: groups.slice(0, limit), more: groups.length > limit };
  };
}

/** Where there is nothing to group by, all is one group, and there always is one. */
function groupBy(documents: readonly Fields[], fields: readonly string[]): readonly Group[] {
  const groups = new Map<string, Group>();
  if (fields.length === 0) groups.set("[]", { key: [], of: [] });
  for (const document of documents) {
    const key = fields.map((field) => (document[field] ?? null) as Value);
    const text = JSON.stringify(key);
    const group = groups.get(text) ?? { key, of: [] };
    groups.set(text, group);
    group.of.push(document);
  }
  return [...groups.values()];
}

function resultOf(output: Output, documents: readonly Fields[]): Value {
  if ("count" in output) return documents.length;
  const [[op, field] = ["sum", ""]] = Object.entries(output);
  const numbers = documents.map((document) => document[field]).filter((value) => typeof value === "number");
  const sum = numbers.reduce((total, number) => total + number, 0);
  if (op === "sum") return sum;
  if (numbers.length === 0) return null;
  if (op === "avg") return sum / numbers.length;
  return op === "min" ? Math.min(...numbers) : Math.max(...numbers);
}
