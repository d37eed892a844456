import type { Access, IndexUse, Plan, PrimaryUse } from "../plan-shape.ts";
import { indexRows, MOST } from "./candidates.ts";
import type { StoredIndex } from "./catalog.ts";
import { idScan, indexScan } from "./ranges.ts";
import { documentTable, indexTable } from "./schema/tables.ts";
import type { ReadSession } from "./session.ts";
import type { Work } from "./slices.ts";

/** Where to count. */
export interface CountRun {
  readonly session: ReadSession;
  readonly collection: { readonly name: string };
}

type Use = IndexUse<StoredIndex> | PrimaryUse;

/** Rows counted before others may run. */
const STEP = 20_000;
/** What finding the start of a range costs, in rows. */
const SEEK = 100;

/**
 * Counts what matches without reading a document, if the plan leaves nothing to be tested.
 *
 * @param most where to stop
 * @returns undefined if documents have to be evaluated
 */
export function* countRows(
  run: CountRun & { readonly plan: Plan<StoredIndex>; readonly size: { readonly documents: number } },
  most: number,
): Work<number | undefined> {
  const { plan } = run;
  if (plan.access.kind === "none") return 0;
  if (plan.residual.kind !== "true") return undefined;
  const uses = usesOf(plan.access);
  if (!uses) return run.size.documents;
  return plan.repeats ? yield* countDistinct(run, uses, most) : yield* countEach(run, uses, most);
}

/**
 * How many index rows an access reads, counted no further than `most`: at least as many as it finds documents.
 *
 * @returns undefined if it reads every document
 */
export function* countReads(run: CountRun, access: Access<StoredIndex>, most: number): Work<number | undefined> {
  if (access.kind === "none") return 0;
  const uses = usesOf(access);
  return uses && (yield* countEach(run, uses, most));
}

/** Undefined if every document is found. */
function usesOf(access: Access<StoredIndex>): readonly Use[] | undefined {
  if (access.kind === "union") return access.of;
  if (access.kind === "index" || (access.kind === "primary" && access.bounds)) return [access];
  return undefined;
}

/** Each row is a document of its own: SQLite counts them. */
function* countEach(run: CountRun, uses: readonly Use[], most: number): Work<number> {
  let count = 0;
  let since = 0;
  for (const use of uses) {
    for (const { sql, bounds } of statements(run, use)) {
      const select = run.session.prepare<unknown[], [number]>(`SELECT count(*) FROM (${sql} ${MOST})`);
      const found = select.get(...bounds, most - count)?.[0] ?? 0;
      count += found;
      if (count >= most) return count;
      since += found + SEEK;
      if (since < STEP) continue;
      since = 0;
      yield;
    }
  }
  return count;
}

function statements({ collection }: CountRun, use: Use): { sql: string; bounds: readonly unknown[] }[] {
  if (use.kind === "primary") {
    const sql = `SELECT 1 FROM ${documentTable(collection.name)} WHERE id >= ? AND id < ?`;
    return idScan(use).steps.map(({ from, to }) => ({ sql, bounds: [from, to] }));
  }
  const sql = `SELECT 1 FROM ${indexTable(collection.name, use.index.number)} WHERE key >= ? AND key < ?`;
  return indexScan(use).steps.flatMap((step) => (step.kind === "range" ? [{ sql, bounds: [step.from, step.to] }] : []));
}

/** A document may have several rows, or be found by several uses. */
function* countDistinct(run: CountRun, uses: readonly Use[], most: number): Work<number> {
  const { session, collection } = run;
  const seen = new Set<number>();
  let rows = 0;
  for (const use of uses) {
    for (const n of use.kind === "index"
      ? indexRows(use, { session, collection: collection.name, cursor: undefined })
      : idRows(run, use)) {
      seen.add(n);
      if (seen.size >= most) return seen.size;
      rows += 1;
      if (rows % STEP === 0) yield;
    }
  }
  return seen.size;
}

function* idRows({ session, collection }: CountRun, use: PrimaryUse): Generator<number> {
  const select = session.prepare<[string, string], [number]>(
    `SELECT n FROM ${documentTable(collection.name)} WHERE id >= ? AND id < ?`,
  );
  for (const { from, to } of idScan(use).steps) for (const [n] of select.iterate(from, to)) yield n;
}
