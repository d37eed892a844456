import type { Access, IndexUse, PrimaryUse } from "../plan-shape.ts";
import type { StoredIndex } from "./catalog.ts";
import type { Expense } from "./expense.ts";
import type { Needles } from "./prefilter.ts";
import { type Cursor, type IndexScan, type IndexStep, idScan, indexScan } from "./ranges.ts";
import { documentTable, indexTable } from "./schema/tables.ts";
import type { ReadSession } from "./session.ts";

/**
 * The end of a statement that is told how many rows it reads. Not the bare `?`: SQLite then plans by the number that is
 * bound, and compiles the statement anew each time that one is, which takes longer than reading ten documents.
 */
export const MOST = "LIMIT cast(? AS INTEGER)";

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
export function candidates(access: Access<StoredIndex>, search: Search): Iterable<Candidate | undefined> {
  switch (access.kind) {
    case "none":
      return [];
    case "scan":
      return chunks(search, "n", 0, "ASC");
    case "union":
      return each(access.of, search);
    default:
      return one(access, search);
  }
}

function one(use: IndexUse<StoredIndex> | PrimaryUse, search: Search): Iterable<Candidate | undefined> {
  if (use.kind === "index") return search.seen ? byIndexOnce(use, search) : byIndex(use, search);
  // Where nothing bounds the ids, the prefilter is worth more than reading ahead.
  const { backward, steps } = idScan(use, search.cursor);
  const [step] = steps;
  if (use.bounds || !search.needles || !step) return byId(use, search);
  return chunks(search, "id", backward ? step.to : step.from, backward ? "DESC" : "ASC");
}

function* each(
  uses: readonly (IndexUse<StoredIndex> | PrimaryUse)[],
  search: Search,
): Generator<Candidate | undefined> {
  for (const use of uses) yield* one(use, search);
}

function* byId(use: PrimaryUse, { session, collection, cursor, expense, seen }: Search): Generator<Candidate> {
  const { backward, steps } = idScan(use, cursor);
  const sql = idStatement(`SELECT n, id, v, data FROM ${documentTable(collection)}`, backward);
  for (const { from, to } of steps) {
    for (const candidate of session.prepare<[string, string], Candidate>(sql).iterate(from, to)) {
      if (seenBefore(seen, candidate[0])) continue;
      expense.count(1);
      yield candidate;
    }
  }
}

function* byIndex(use: IndexUse<StoredIndex>, search: Search): Generator<Candidate> {
  const { collection, expense } = search;
  // CROSS JOIN, because SQLite keeps its order: the index leads.
  const table = `${indexTable(collection, use.index.number)} AS i CROSS JOIN ${documentTable(collection)} AS d ON d.n = i.n`;
  for (const rows of indexSteps<Candidate>(`SELECT d.n, d.id, d.v, d.data FROM ${table}`, use, search)) {
    for (const candidate of rows) {
      expense.count(1);
      yield candidate;
    }
  }
}

/** Loads a document only when it comes for the first time: it may be large and have thousands of rows. */
function* byIndexOnce(use: IndexUse<StoredIndex>, search: Search): Generator<Candidate> {
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

type Place = Pick<Search, "session" | "collection" | "cursor">;

/** The row numbers of the documents that an index use finds, in its order. */
export function* indexRows(use: IndexUse<StoredIndex>, place: Place): Generator<number> {
  const select = `SELECT i.n FROM ${indexTable(place.collection, use.index.number)} AS i`;
  for (const rows of indexSteps<[number]>(select, use, place)) for (const [n] of rows) yield n;
}

function* indexSteps<R>(
  select: string,
  use: IndexUse<StoredIndex>,
  { session, cursor }: Place,
): Generator<IterableIterator<R>> {
  for (const { sql, bounds } of indexStatements(select, use, cursor)) {
    yield session.prepare<Bounds, R>(sql).iterate(...bounds);
  }
}

type Bounds = [from: Buffer, to: Buffer | string];

/** The statements that read an index use behind a cursor, one a step; what they select is the caller's. */
function* indexStatements(
  select: string,
  use: IndexUse<StoredIndex>,
  cursor: Cursor | undefined,
): Generator<{ sql: string; bounds: Bounds }> {
  const scan = indexScan(use, cursor);
  for (const step of scan.steps) yield { sql: indexStatement(select, scan, step.kind), bounds: indexBounds(step) };
}

/** The text of a step's statement, the same for all steps of a kind. */
export function indexStatement(
  select: string,
  { backward, idsDescending }: Omit<IndexScan, "steps">,
  kind: IndexStep["kind"],
): string {
  const which = kind === "range" ? "i.key >= ? AND i.key < ?" : `i.key = ? AND i.id ${idsDescending ? "<" : ">"} ?`;
  return `${select} WHERE ${which} ORDER BY i.key ${backward ? "DESC" : "ASC"}, i.id ${idsDescending ? "DESC" : "ASC"}`;
}

export function indexBounds(step: IndexStep): Bounds {
  return step.kind === "range" ? [step.from, step.to] : [step.key, step.id];
}

/** As {@link indexStatement}, by `_id`. */
export function idStatement(select: string, backward: boolean): string {
  return `${select} WHERE id >= ? AND id < ? ORDER BY id ${backward ? "DESC" : "ASC"}`;
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
     (SELECT ${by} AS k FROM ${table} WHERE ${by} ${past} ? ORDER BY ${by} ${order} ${MOST})`,
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
