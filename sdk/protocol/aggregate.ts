import type { Path } from "./paths.ts";
import type { Value } from "./values.ts";

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

/** One row of the answer: a value for each group path, and the outputs by name. */
export interface Group {
  readonly key: readonly Value[];
  readonly out: Readonly<Record<string, Value>>;
}
