/** A store that does what a test says when it says it: loads end late and in any order, commits are told later, or never. */
import { GalleyError } from "#protocol/errors";
import { compileFilter } from "#protocol/match";
import { compareKeys, sortKeyOf } from "#protocol/sort";
import { type Document, encodeValue, type ObjectValue } from "#protocol/values";
import type {
  Commit,
  DocumentStore,
  FindQuery,
  FindResult,
  Position,
  Row,
} from "../../server/stores/document-store.ts";

/** The one collection. */
export const THINGS = "things";

type Rows = ReadonlyMap<string, Row>;

interface Load {
  readonly query: FindQuery;
  readonly resolve: (result: FindResult) => void;
  readonly reject: (error: GalleyError) => void;
}

export class ScriptedStore {
  readonly nodes = { inTouch: true, lag: 0 };
  /** Loads that have begun and not ended. */
  readonly loads: Load[] = [];
  /** Commits that are stored and not told. */
  readonly untold: Commit[] = [];
  finds = 0;
  /** Documents of changes that somebody looked at. */
  looked = 0;
  told: Position = positionOf(1, 0);
  #states = new Map<Position, Rows>([[this.told, new Map()]]);
  #history = 1;
  #place = 0;
  #version = 0;
  #last: Commit | undefined;
  #listener: (commit: Commit) => void = () => {};
  #lost: () => unknown = () => {};
  #waiting: { position: Position; resolve: () => void }[] = [];

  /** What the parts of realtime ask of a store. */
  get port(): Pick<DocumentStore, "find" | "passed" | "position" | "tail"> & {
    readonly nodes: DocumentStore["nodes"];
  } {
    const self = this;
    return {
      nodes: this.nodes as unknown as DocumentStore["nodes"],
      position: () => this.told,
      tail: (_from, listener, lost = () => {}) => {
        this.#listener = listener;
        this.#lost = lost;
        return {
          get position() {
            return self.told;
          },
          close() {},
        };
      },
      find: (query) => {
        this.finds++;
        return new Promise((resolve, reject) => this.loads.push({ query, resolve, reject }));
      },
      passed: (position) => {
        if (position <= this.told) return Promise.resolve();
        return new Promise((resolve) => this.#waiting.push({ position, resolve }));
      },
    };
  }

  /** What was stored where the tail stands. */
  get shown(): Rows {
    return this.#states.get(this.told) as Rows;
  }

  /** @param changes fields of each document; undefined deletes it */
  commit(changes: ReadonlyMap<string, ObjectValue | undefined>): Commit {
    const next = new Map(this.#newest);
    const told = [...changes].map(([id, fields]) => {
      const row = fields && this.#row(id, fields);
      if (row) next.set(id, row);
      else next.delete(id);
      return this.#change(id, row);
    });
    return this.#store(next, { changes: told });
  }

  drop(): Commit {
    return this.#store(new Map(), { changes: [], dropped: [THINGS] });
  }

  /** The next commit reaches the tail. */
  tell(): void {
    const commit = this.untold.shift();
    if (!commit) return;
    this.#last = commit;
    this.told = commit.position;
    this.#listener(commit);
    this.#settle();
  }

  /** The last commit once more. */
  repeat(): void {
    if (this.#last) this.#listener(this.#last);
  }

  /** What was not told will never be. @param other whether positions begin anew */
  async lose(other: boolean): Promise<void> {
    const state = this.#newest;
    this.untold.length = 0;
    this.#last = undefined;
    if (other) this.#history++;
    this.#place++;
    this.told = positionOf(this.#history, this.#place);
    if (other) this.#states.clear();
    this.#states.set(this.told, state);
    for (const { resolve } of this.#waiting.splice(0)) resolve();
    await this.#lost();
  }

  /** A load ends with the state of `at`, or of a later commit. @param later of those that there are, 0 to 1 */
  finish(index: number, later: number): void {
    const [load] = this.loads.splice(index, 1);
    if (!load) return;
    const { at } = load.query;
    const since = [...this.#states.keys()].filter((position) => at === undefined || position >= at);
    if (at === undefined || !this.#states.has(at)) {
      load.reject(new GalleyError("failed_precondition", "gone", { reason: "history_lost" }));
      return;
    }
    const position = since[Math.floor(later * since.length)] as Position;
    const all = rowsOf(this.#states.get(position) as Rows, load.query);
    const rows = all.slice(0, load.query.limit);
    load.resolve({ rows, more: all.length > rows.length, position, examined: 0 });
  }

  fail(index: number, error: GalleyError): void {
    this.loads.splice(index, 1)[0]?.reject(error);
  }

  get #newest(): Rows {
    return [...this.#states.values()].at(-1) as Rows;
  }

  #store(next: Rows, told: Omit<Commit, "position">): Commit {
    this.#place++;
    const commit = { position: positionOf(this.#history, this.#place), ...told };
    this.#states.set(commit.position, next);
    this.untold.push(commit);
    return commit;
  }

  #row(id: string, fields: ObjectValue): Row {
    this.#version++;
    const value = { _id: id, _v: this.#version, ...fields } as unknown as Document;
    return { id, version: this.#version, value, text: encodeValue(value) };
  }

  #change(id: string, row: Row | undefined) {
    const self = this;
    return {
      collection: THINGS,
      id,
      get next() {
        self.looked++;
        return row;
      },
    };
  }

  #settle(): void {
    const over = this.#waiting.filter(({ position }) => position <= this.told);
    this.#waiting = this.#waiting.filter(({ position }) => position > this.told);
    for (const { resolve } of over) resolve();
  }
}

const tests = new WeakMap<FindQuery["filter"], ReturnType<typeof compileFilter>>();

/** All rows that a question finds, in its order: the plain way. */
export function rowsOf(rows: Rows, { filter, sort }: Pick<FindQuery, "filter" | "sort">): Row[] {
  const test = tests.get(filter) ?? compileFilter(filter);
  tests.set(filter, test);
  return [...rows.values()]
    .filter(({ value }) => test(value))
    .map((row) => ({ row, key: sortKeyOf(sort, row.value) ?? [] }))
    .sort((a, b) => compareKeys(sort, a.key, b.key))
    .map(({ row }) => row);
}

function positionOf(history: number, place: number): Position {
  return `h${history}.${place.toString(16).padStart(16, "0")}` as Position;
}
