import type { Database, Statement } from "better-sqlite3";
import { GalleyError } from "#protocol/errors";
import { type Catalog, readCatalog } from "./catalog.ts";
import { MAPPED_BYTES, openReading } from "./connection.ts";
import type { QueryClock } from "./slices.ts";

/** Page cache of one connection, in KiB. */
const CACHE_KIB = 4 * 1024;
/** Prepared statements that a connection keeps. */
const STATEMENTS = 500;

/** A connection with a read transaction: what it reads is of one state, however long it takes. */
export class ReadSession {
  /** The last commit that this state holds. */
  sequence = 0;
  structure = 0;
  readonly database: Database;
  readonly #begin: Statement;
  readonly #end: Statement;
  readonly #state: Statement<[], [number, number]>;
  readonly #statements = new Map<string, Statement>();

  constructor(database: Database) {
    this.database = database;
    this.#begin = database.prepare("BEGIN");
    this.#end = database.prepare("COMMIT");
    this.#state = database.prepare<[], [number, number]>("SELECT sequence, structure FROM _state").raw();
  }

  /** Takes the state as it now is. */
  begin(): void {
    this.#begin.run();
    [this.sequence, this.structure] = this.#state.get() as [number, number];
  }

  end(): void {
    if (this.database.inTransaction) this.#end.run();
  }

  /** A prepared statement whose rows are arrays of columns. */
  prepare<P extends unknown[], R>(sql: string): Statement<P, R> {
    return this.#prepared(sql, sql, (statement) => statement.raw()) as unknown as Statement<P, R>;
  }

  /** A prepared statement of one column, whose rows are its values: the cheapest form there is. */
  prepareColumn<P extends unknown[], V>(sql: string): Statement<P, V> {
    return this.#prepared(`column: ${sql}`, sql, (statement) => statement.pluck()) as unknown as Statement<P, V>;
  }

  #prepared(key: string, sql: string, shape: (statement: Statement) => Statement): Statement {
    let statement = this.#statements.get(key);
    if (!statement) {
      if (this.#statements.size >= STATEMENTS) this.#statements.clear();
      statement = shape(this.database.prepare(sql));
      this.#statements.set(key, statement);
    }
    return statement;
  }
}

/** A few sessions that queries take turns with. */
export interface SessionPool {
  /** Begins a read transaction on a free session, once there is one. @throws GalleyError `timeout` if none came free */
  take(clock: QueryClock): ReadSession | Promise<ReadSession>;
  give(session: ReadSession): void;
  /** What exists in the state that a session reads. */
  catalog(session: ReadSession): Catalog;
  /** The newest catalog that was read: what most likely exists. */
  known(): Catalog | undefined;
  /** Ends when every session was given back. */
  close(): Promise<void>;
}

/** @param most queries that read at once, each with a connection and read transaction of its own */
export function createSessionPool(file: string, most: number): SessionPool {
  const free: ReadSession[] = [];
  const waiting: ((session: ReadSession) => void)[] = [];
  let opened = 0;
  let catalog: Catalog | undefined;
  let drained: (() => void) | undefined;

  function begun(session: ReadSession): ReadSession {
    try {
      session.begin();
      return session;
    } catch (error) {
      give(session);
      throw error;
    }
  }

  function give(session: ReadSession): void {
    session.end();
    const next = waiting.shift();
    if (next) {
      next(session);
      return;
    }
    free.push(session);
    if (free.length === opened) drained?.();
  }

  function wait(clock: QueryClock): Promise<ReadSession> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(taken), 1);
        reject(new GalleyError("timeout", "the query took longer than it may: too many others are running"));
      }, clock.left);
      const taken = (session: ReadSession) => {
        clearTimeout(timer);
        try {
          resolve(begun(session));
        } catch (error) {
          reject(error);
        }
      };
      waiting.push(taken);
    });
  }

  return {
    take(clock) {
      let session = free.pop();
      if (!session && opened < most) {
        session = new ReadSession(openReading(file, { cacheKib: CACHE_KIB, mapped: MAPPED_BYTES }));
        opened += 1;
      }
      return session ? begun(session) : wait(clock);
    },
    give,
    catalog(session) {
      if (catalog?.structure === session.structure) return catalog;
      const read = readCatalog(session.database);
      // A long read may still see an older structure than others do by now.
      if (!catalog || read.structure > catalog.structure) catalog = read;
      return read;
    },
    known: () => catalog,
    async close() {
      if (free.length < opened) {
        await new Promise<void>((resolve) => {
          drained = resolve;
        });
      }
      for (const { database } of free) database.close();
    },
  };
}
