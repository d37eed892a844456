import type { Node } from "#protocol/ast";
import type { IndexStats } from "../document-store.ts";
import { indexKeys, planQuery } from "../plan.ts";
import type { IndexFacts, IndexUse, PrimaryUse } from "../plan-shape.ts";
import { idStatement, indexBounds, indexStatement } from "./candidates.ts";
import { needlesOf } from "./prefilter.ts";
import { idScan, indexScan } from "./ranges.ts";
import { documentTable, quote } from "./schema/tables.ts";

interface ShownIndex extends IndexFacts {
  readonly paths: readonly string[];
}

/**
 * The statements that read what a question without an order looks at, for people to read: with their values in them, and
 * the table of an index called by its paths. What they find passes the filter afterwards, as far as they do not decide it.
 *
 * @param filter normalised
 */
export function sqliteStatements(collection: string, filter: Node, indexes: readonly IndexStats[]): string[] {
  const facts = indexes.map(({ paths, unique = false, state }): ShownIndex => {
    const keys = indexKeys({ paths });
    // Of arrays nothing is known here.
    return { paths, keys, unique, ready: state === "ready", multikey: keys.map(() => true) };
  });
  const { access, residual } = planQuery(filter, undefined, facts);
  const table = documentTable(collection);
  switch (access.kind) {
    case "none":
      return [];
    case "scan": {
      const needles = needlesOf(residual);
      const holds = needles ? ` WHERE (${needles.map((text) => `instr(data, ${literal(text)})`).join(" OR ")})` : "";
      return [`SELECT n, id, v, data FROM ${table}${holds} ORDER BY n ASC`];
    }
    case "union":
      return access.of.flatMap((use) => ofUse(use, collection));
    default:
      return ofUse(access, collection);
  }
}

function ofUse(use: IndexUse<ShownIndex> | PrimaryUse, collection: string): string[] {
  const table = documentTable(collection);
  if (use.kind === "primary") {
    const { backward, steps } = idScan(use);
    const sql = idStatement(`SELECT n, id, v, data FROM ${table}`, backward);
    return steps.map(({ from, to }) => filled(sql, [from, to]));
  }
  const index = quote(`i_${collection} (${use.index.paths.join(", ")})`);
  const select = `SELECT d.n, d.id, d.v, d.data FROM ${index} AS i CROSS JOIN ${table} AS d ON d.n = i.n`;
  const scan = indexScan(use);
  return scan.steps.map((step) => filled(indexStatement(select, scan, step.kind), indexBounds(step)));
}

/** A statement with its values behind the last table, whose names may hold a question mark. */
function filled(sql: string, values: readonly (string | Buffer)[]): string {
  const start = sql.lastIndexOf(" WHERE ");
  let next = 0;
  return sql.slice(0, start) + sql.slice(start).replace(/\?/g, () => literal(values[next++] ?? ""));
}

function literal(value: string | Buffer): string {
  return typeof value === "string" ? `'${value.replaceAll("'", "''")}'` : `x'${value.toString("hex")}'`;
}
