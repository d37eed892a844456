import type { Statement } from "better-sqlite3";
import type { IndexUse, PrimaryUse } from "../plan-shape.ts";
import { idStatement, indexBounds, indexStatement, MOST } from "./candidates.ts";
import type { StoredIndex } from "./catalog.ts";
import { type Cursor, type IndexScan, type IndexStep, idScan, indexScan, withEquals } from "./ranges.ts";
import { documentTable, indexTable } from "./schema/tables.ts";
import type { ReadSession } from "./session.ts";

export type Use = IndexUse<StoredIndex> | PrimaryUse;

/** A statement that reads one step of a use, and its bounds. */
interface Step {
  readonly select: Select;
  readonly bounds: readonly unknown[];
}

type Select = Statement<unknown[], string>;

interface ScanBehind {
  readonly scan: IndexScan;
  readonly merged: ReturnType<typeof withEquals>;
}

/** What stands before the text of a document that has the sort key of the cursor: this, its id, and a line break. */
const EQUAL = "=";

/** Reads the texts of documents by one use of an index, with statements that are made once. */
export class UseReader {
  readonly collection: string;
  readonly #session: ReadSession;
  readonly #use: Use;
  readonly #selects = new Map<IndexStep["kind"] | "behind", Select>();
  /** Scans behind the places of cursors, for as long as those are remembered: a page that many read is planned once. */
  readonly #scans = new WeakMap<Cursor["after"], ScanBehind>();
  #first: readonly Step[] | undefined;

  constructor(session: ReadSession, collection: string, use: Use) {
    this.#session = session;
    this.collection = collection;
    this.#use = use;
  }

  /** The first `most` texts in the order of the use, behind the cursor if there is one. */
  texts(cursor: Cursor | undefined, most: number): string[] {
    const use = this.#use;
    if (!cursor) {
      this.#first ??= use.kind === "primary" ? this.#idSteps(use, undefined) : this.#steps(indexScan(use));
      return read(this.#first, most);
    }
    if (use.kind === "primary") return read(this.#idSteps(use, cursor), most);
    let behind = this.#scans.get(cursor.after);
    if (!behind) {
      const scan = indexScan(use, cursor);
      behind = { scan, merged: withEquals(scan) };
      this.#scans.set(cursor.after, behind);
    }
    return this.#behind(behind, most) ?? read(this.#steps(behind.scan), most);
  }

  /**
   * Reads what has the cursor's sort key and what comes then by one statement: the first row is nearly always the cursor's
   * own, and alone in having that key. Undefined if there are more rows to leave out.
   */
  #behind({ scan, merged }: ScanBehind, most: number): string[] | undefined {
    const [equals] = scan.steps;
    if (!merged || equals?.kind !== "equals") return undefined;
    const [range, ...rest] = merged;
    const { key, id } = equals;
    const column = `iif(i.key = ?, '${EQUAL}' || i.id || char(10) || d.data, d.data)`;
    const found = this.#select("behind", scan, column).all(key, range.from, range.to, most + 1);
    let passed = 0;
    for (; found[passed]?.startsWith(EQUAL); passed++) {
      const text = found[passed] as string;
      const other = text.slice(EQUAL.length, text.indexOf("\n"));
      if (scan.idsDescending ? other < id : other > id) break;
    }
    if (passed > 1) return undefined;
    const texts = found.slice(passed, passed + most);
    for (let i = 0; texts[i]?.startsWith(EQUAL); i++) {
      const text = texts[i] as string;
      texts[i] = text.slice(text.indexOf("\n") + 1);
    }
    return texts.length === most
      ? texts
      : texts.concat(read(this.#steps({ ...scan, steps: rest }), most - texts.length));
  }

  #steps(scan: IndexScan): readonly Step[] {
    return scan.steps.map((step) => ({ select: this.#select(step.kind, scan), bounds: indexBounds(step) }));
  }

  #idSteps(use: PrimaryUse, cursor: Cursor | undefined): readonly Step[] {
    const { backward, steps } = idScan(use, cursor);
    const sql = idStatement(`SELECT data FROM ${documentTable(this.collection)}`, backward);
    const select = this.#prepared("range", () => sql);
    return steps.map(({ from, to }) => ({ select, bounds: [from, to] }));
  }

  #select(kind: IndexStep["kind"] | "behind", scan: IndexScan, column = "d.data"): Select {
    return this.#prepared(kind, () => {
      const index = indexTable(this.collection, (this.#use as IndexUse<StoredIndex>).index.number);
      // CROSS JOIN, because SQLite keeps its order: the index leads.
      const select = `SELECT ${column} FROM ${index} AS i CROSS JOIN ${documentTable(this.collection)} AS d ON d.n = i.n`;
      return indexStatement(select, scan, kind === "equals" ? "equals" : "range");
    });
  }

  #prepared(kind: IndexStep["kind"] | "behind", sql: () => string): Select {
    let select = this.#selects.get(kind);
    if (!select) {
      select = this.#session.prepareColumn(`${sql()} ${MOST}`);
      this.#selects.set(kind, select);
    }
    return select;
  }
}

function read(steps: readonly Step[], most: number): string[] {
  let texts: string[] | undefined;
  for (const { select, bounds } of steps) {
    const found = select.all(...bounds, most - (texts?.length ?? 0));
    if (texts) texts.push(...found);
    else texts = found;
    if (texts.length === most) break;
  }
  return texts ?? [];
}
