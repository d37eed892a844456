import { setTimeout as wait } from "node:timers/promises";
import type { Document, RunCommandOptions } from "mongodb";
import { versionOf } from "#protocol/delta";
import type { Row } from "../document-store.ts";
import type { Connection } from "./connect.ts";
import { CODES, codeOf, isGone, readError } from "./errors.ts";
import { idOfBytes, type ReadMeter, rowOfBytes } from "./rows.ts";
import { Deadline } from "./time-limit.ts";
import { BSON_OPTIONS } from "./values.ts";

/** Reads by id. Those of one turn and collection are one command, each with a result of its own (query-language.md 9.8). */
export interface PointReader {
  /** The rows with these ids, all of one state, in the order of `ids`; undefined where there is none. */
  get(collection: string, ids: readonly string[]): Promise<(Row | undefined)[]>;
  /** The version that is stored, also of a document that reads skip; 0: none. */
  version(collection: string, id: string): Promise<number>;
}

/** Ids in one command. A call that asks for more than a few goes alone, and holds up nobody. */
const MOST_IDS = 500;
const FEW_IDS = 16;
/** Commands of one collection that may be under way before further reads wait for one of them. */
const UNDER_WAY = 2;
/** A command that takes longer does not count any more: what waits shall not wait for a server that hangs. */
const SLOW_MILLISECONDS = 50;
/** For one read; MongoDB ends it by itself at that time, and beyond it is no longer waited for. */
const MOST_MILLISECONDS = 5000;
const GRACE_MILLISECONDS = 1000;
/** Times that a read is tried, since it harms nobody. */
const ATTEMPTS = 8;
const FIRST_DELAY = 5;
/** Documents stay bytes, so that one which no program should have stored fails no neighbour. */
const AS_BYTES: RunCommandOptions = { ...BSON_OPTIONS, fieldsAsRaw: { firstBatch: true } };

interface Job {
  readonly ids: readonly string[];
  resolve(rows: (Row | undefined)[]): void;
  reject(error: unknown): void;
}

interface Line {
  waiting: Job[];
  underWay: number;
  scheduled: boolean;
}

export function createPointReader(connection: Connection, meter: ReadMeter): PointReader {
  const lines = new Map<string, Line>();

  function schedule(collection: string, line: Line): void {
    if (line.scheduled || line.underWay >= UNDER_WAY) return;
    line.scheduled = true;
    const go = () => {
      line.scheduled = false;
      flush(collection, line);
    };
    // Where nothing is under way nobody waits for others of this turn: they share the next command.
    if (line.underWay === 0) queueMicrotask(go);
    else setImmediate(go);
  }

  function flush(collection: string, line: Line): void {
    while (line.waiting.length > 0 && line.underWay < UNDER_WAY) {
      const jobs = takeSome(line);
      line.underWay += 1;
      let counted = true;
      const leave = () => {
        if (!counted) return;
        counted = false;
        line.underWay -= 1;
        if (line.waiting.length > 0) schedule(collection, line);
        else if (line.underWay === 0 && lines.get(collection) === line) lines.delete(collection);
      };
      const slow = setTimeout(leave, SLOW_MILLISECONDS);
      void answer(collection, jobs).finally(() => {
        clearTimeout(slow);
        leave();
      });
    }
  }

  async function answer(collection: string, jobs: readonly Job[]): Promise<void> {
    try {
      const rows = await read(collection, [...new Set(jobs.flatMap(({ ids }) => ids))]);
      for (const { ids, resolve } of jobs) resolve(ids.map((id) => rows.get(id)));
    } catch (error) {
      for (const { reject } of jobs) reject(error);
    }
  }

  async function read(collection: string, ids: readonly string[]): Promise<Map<string, Row>> {
    const rows = new Map<string, Row>();
    let missing = ids;
    let at: Document | undefined;
    // A reply holds 16 MB: what did not fit is asked for again, of the same state.
    while (missing.length > 0) {
      const command = { find: collection, filter: filterOf(missing), batchSize: missing.length + 1 };
      const { cursor } = await ask(collection, command, at, AS_BYTES);
      const found = new Set<unknown>();
      for (const bytes of cursor.firstBatch as Uint8Array[]) {
        found.add(idOfBytes(bytes));
        const row = rowOfBytes(bytes);
        if (row) rows.set(row.id, row);
        else meter.foreign += 1;
      }
      if (Number(cursor.id) === 0) break;
      at = cursor.atClusterTime;
      missing = missing.filter((id) => !found.has(id));
      const kill = { killCursors: collection, cursors: [BigInt(cursor.id)] };
      connection
        .db(collection)
        .command(kill)
        .catch(() => {});
    }
    return rows;
  }

  /** One read at a snapshot: of the given time, or of now, and never before what was already confirmed or shown. */
  async function ask(
    collection: string,
    command: Document,
    at?: Document,
    options: RunCommandOptions = BSON_OPTIONS,
  ): Promise<Document> {
    const deadline = new Deadline(MOST_MILLISECONDS + GRACE_MILLISECONDS);
    for (let attempt = 1; ; attempt++) {
      if (!connection.isReady) await connection.ready();
      const { seen } = connection;
      const readConcern = { level: "snapshot", ...(at ? { atClusterTime: at } : seen && { afterClusterTime: seen }) };
      try {
        const limited = { ...command, readConcern, maxTimeMS: MOST_MILLISECONDS };
        const reply = await deadline.race(
          connection.db(collection).command(limited, options),
          connection.topology.givenUp,
        );
        // What was shown, perhaps by another node's write, is at the position that replies name from now on.
        connection.see(reply.cursor.atClusterTime);
        return reply;
      } catch (error) {
        // Right after a collection or an index was made there is no snapshot of it yet.
        const code = codeOf(error);
        const passing = isGone(error) || code === CODES.snapshotUnavailable || code === CODES.snapshotTooOld;
        if (!passing || attempt === ATTEMPTS || deadline.over) throw readError(error);
        await wait(FIRST_DELAY * 2 ** attempt);
      }
    }
  }

  return {
    get(collection, ids) {
      if (ids.length === 0) return Promise.resolve([]);
      return new Promise((resolve, reject) => {
        const job = { ids, resolve, reject };
        if (ids.length > FEW_IDS) return void answer(collection, [job]);
        const line = lines.get(collection) ?? { waiting: [], underWay: 0, scheduled: false };
        lines.set(collection, line);
        line.waiting.push(job);
        schedule(collection, line);
      });
    },

    async version(collection, id) {
      const command = { find: collection, filter: { _id: id }, projection: { _v: 1 }, singleBatch: true, limit: 1 };
      const [found] = (await ask(collection, command)).cursor.firstBatch as Document[];
      return found ? versionOf(found._v) : 0;
    },
  };
}

/** By one id MongoDB reads without planning. */
function filterOf(ids: readonly string[]): Document {
  return { _id: ids.length === 1 ? ids[0] : { $in: ids } };
}

/** The next calls whose ids fit into one command. */
function takeSome(line: Line): readonly Job[] {
  let count = 0;
  let ids = 0;
  for (const job of line.waiting) {
    ids += job.ids.length;
    if (count > 0 && ids > MOST_IDS) break;
    count += 1;
  }
  return line.waiting.splice(0, count);
}
