import type { Access, IndexUse, PrimaryUse } from "../plan.ts";
import type { StoredIndex } from "./catalog.ts";
import type { Expense } from "./expense.ts";
import type { Needles } from "./prefilter.ts";
import { type Cursor, idScan, indexScan } from "./ranges.ts";
import { documentTable, indexTable } from "./schema/tables.ts";
import type { ReadSession } from "./session.ts";

/** The columns of a document: row number, id, version, text. */
export type Candidate = readonly [n: number, id: string, version: number, text: string];

export interface Search {
  readonly session: ReadSession;
  readonly collection: string;
  readonly cursor: Cursor | undefined;
  /** For reads that no index narrows. */
  readonly needles: Needles | undefined;
  /** Documents to read at once, by their size. */
  readonly chunk: () => number;
  /** Row numbers that came already, if the plan says that one may come again. */
  readonly seen: Set<number> | undefined;
  readonly expense: Expense;
}

/**
 * Reads the documents that an access finds, in its order, each once. Between long steps that find nothing it yields
 * undefined, so that the caller can pause.
 */
export function* candidates(access: Access<StoredIndex>, search: Search): Generator<Candidate | undefined> {
  switch (access.kind) {
    case "none":
      return;
    case "scan":
      return yield* chunks(search, "n", 0, "ASC");
    case "primary":
      return yield* byId(access, search);
    case "index":
      return yield* byIndex(access, search);
    case "union":
      for (const use of access.of) yield* use.kind === "index" ? byIndex(use, search) : byId(use, search);
  }
}

function* byId(use: PrimaryUse, search: Search): Generator<Candidate | undefined> {
  const { session, collection, cursor, expense, seen } = search;
  const { backward, steps } = idScan(use, cursor);
  if (!use.bounds && search.needles) {
    const [step] = steps;
    if (step) yield* chunks(search, "id", backward ? step.to : step.from, backward ? "DESC" : "ASC");
    return;
  }
  const select = session.prepare<[string, string], Candidate>(
    `SELECT n, id, v, data FROM ${documentTable(collection)}
     WHERE id >= ? AND id < ? ORDER BY id ${backward ? "DESC" : "ASC"}`,
  );
  for (const { from, to } of steps) {
    for (const candidate of select.iterate(from, to)) {
      if (seenBefore(seen, candidate[0])) continue;
      expense.count(1);
      yield candidate;
    }
  }
}

function* byIndex(use: IndexUse<StoredIndex>, search: Search): Generator<Candidate | undefined> {
  const { session, collection, expense, seen } = search;
  const load = session.prepare<[number], Candidate>(
    `SELECT n, id, v, data FROM ${documentTable(collection)} WHERE n = ?`,
  );
  for (const n of indexRows(use, search)) {
    if (seenBefore(seen, n)) continue;
    expense.count(1);
    const found = load.get(n);
    if (found) yield found;
  }
}

function seenBefore(seen: Set<number> | undefined, n: number): boolean {
  if (seen?.has(n)) return true;
  seen?.add(n);
  return false;
}

/** The row numbers of the documents that an index use finds, in its order. */
export function* indexRows(
  use: IndexUse<StoredIndex>,
  { session, collection, cursor }: Pick<Search, "session" | "collection" | "cursor">,
): Generator<number> {
  const scan = indexScan(use, cursor);
  const select = `SELECT n FROM ${indexTable(collection, use.index.number)}`;
  const order = `ORDER BY key ${scan.backward ? "DESC" : "ASC"}, id ${scan.idsDescending ? "DESC" : "ASC"}`;
  for (const step of scan.steps) {
    const rows =
      step.kind === "range"
        ? session
            .prepare<[Buffer, Buffer], [number]>(`${select} WHERE key >= ? AND key < ? ${order}`)
            .iterate(step.from, step.to)
        : session
            .prepare<[Buffer, string], [number]>(
              `${select} WHERE key = ? AND id ${scan.idsDescending ? "<" : ">"} ? ${order}`,
            )
            .iterate(step.key, step.id);
    for (const [n] of rows) yield n;
  }
}

/**
 * Reads the whole table by row number or id, a bounded number of documents with each statement: the prefilter runs
 * inside SQLite, where a search that finds nothing would not come back before the table's end.
 */
function* chunks(
  { session, collection, needles, chunk, expense }: Search,
  by: "n" | "id",
  start: number | string,
  order: "ASC" | "DESC",
): Generator<Candidate | undefined> {
  const table = documentTable(collection);
  const [past, upTo] = order === "ASC" ? [">", "<="] : ["<", ">="];
  const last = session.prepare<[number | string, number], [number | string, number]>(
    `SELECT ${order === "ASC" ? "max" : "min"}(k), count(*) FROM
     (SELECT ${by} AS k FROM ${table} WHERE ${by} ${past} ? ORDER BY ${by} ${order} LIMIT ?)`,
  );
  const holds = needles ? `AND (${needles.map(() => "instr(data, ?)").join(" OR ")})` : "";
  const select = session.prepare<(number | string)[], Candidate>(
    `SELECT n, id, v, data FROM ${table} WHERE ${by} ${past} ? AND ${by} ${upTo} ? ${holds} ORDER BY ${by} ${order}`,
  );
  const size = chunk();
  for (let at = start; ; ) {
    // At the budget's end one more is looked for: if there is none, the query was within it.
    const [end, count] = last.get(at, Math.max(1, Math.min(size, expense.left))) ?? [at, 0];
    if (count === 0) return;
    expense.count(count);
    yield* select.iterate(at, end, ...(needles ?? []));
    yield undefined;
    at = end;
  }
}
