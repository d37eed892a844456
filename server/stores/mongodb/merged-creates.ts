import { type Document, MongoWriteConcernError, type Timestamp } from "mongodb";
import type { GalleyError } from "#protocol/errors";
import type { Write } from "../document-store.ts";
import type { MongoCollection } from "./catalog.ts";
import type { Connection } from "./connect.ts";
import { isGone } from "./errors.ts";
import { nextNumber, sendWrite, type WriteItemError, type WriteReply } from "./send.ts";
import type { Sessions } from "./sessions.ts";
import { itemFault } from "./write-faults.ts";

/** A document that is to be made. */
export interface Create {
  readonly write: Extract<Write, { kind: "put" }>;
  readonly collection: MongoCollection;
  readonly document: Document;
}

/** Creates of one turn and collection as one command, each with a result of its own (query-language.md 9.8). */
export interface MergedCreates {
  /**
   * Resolves to a cluster time at which the document is visible: its own, or a little later if others were made with it.
   * @throws GalleyError of this create alone; CollectionChanged
   */
  insert(create: Create): Promise<Timestamp>;
}

/** Documents, and characters of their texts, in one command. A command of 48 MB would be refused whole. */
const MOST = { documents: 500, characters: 4 * 1024 * 1024 };
/** Commands of one collection that may be under way before further creates wait for one of them. */
const UNDER_WAY = 2;
/** A command that takes longer does not count any more: what waits shall not wait for a server that hangs. */
const SLOW_MILLISECONDS = 50;

interface Job extends Create {
  resolve(time: Timestamp): void;
  reject(error: unknown): void;
}

interface Line {
  waiting: Job[];
  underWay: number;
  scheduled: boolean;
}

export function createMergedCreates(connection: Connection, sessions: Sessions): MergedCreates {
  const lines = new Map<string, Line>();

  /**
   * At the end of this turn of the event loop, when everything that came with it is there; beside another command only after
   * a turn that brought nothing more. So under load commands are few and large, and on an idle machine nothing waits.
   */
  function schedule(name: string, line: Line): void {
    if (line.scheduled || line.underWay >= UNDER_WAY) return;
    line.scheduled = true;
    const gather = (seen: number) => {
      const { length } = line.waiting;
      if (line.underWay > 0 && length > seen) return void setImmediate(gather, length);
      line.scheduled = false;
      flush(name, line);
    };
    setImmediate(gather, line.underWay === 0 ? line.waiting.length : 0);
  }

  function flush(name: string, line: Line): void {
    while (line.waiting.length > 0 && line.underWay < UNDER_WAY) {
      const jobs = takeSome(line);
      line.underWay += 1;
      let counted = true;
      const leave = () => {
        if (!counted) return;
        counted = false;
        line.underWay -= 1;
        if (line.waiting.length > 0) schedule(name, line);
        else if (line.underWay === 0) lines.delete(name);
      };
      const slow = setTimeout(leave, SLOW_MILLISECONDS);
      void insertAll(name, jobs).finally(() => {
        clearTimeout(slow);
        leave();
      });
    }
  }

  async function insertAll(name: string, jobs: readonly Job[]): Promise<void> {
    const db = connection.db(name);
    await sessions
      .use(connection.clientOf(name), async (session) => {
        const number = nextNumber(session);
        try {
          settle(jobs, await sendWrite(connection, session, db, insertOf(jobs), number));
        } catch (error) {
          const { cause } = error as GalleyError;
          // That it is not confirmed, or that nobody answers, is because of none of them.
          if (jobs.length === 1 || isGone(cause) || cause instanceof MongoWriteConcernError) throw error;
          // Else one of them may be why. Each is sent again as the same statement of the same write, so that none is made twice.
          for (const [i, job] of jobs.entries()) {
            const alone = { ...insertOf([job]), stmtIds: [i] };
            await sendWrite(connection, session, db, alone, number).then(
              (reply) => settle([job], reply),
              (fault: unknown) => fail([job], fault),
            );
          }
        }
      })
      .catch((error: unknown) => fail(jobs, error));
  }

  return {
    insert: (create) =>
      new Promise((resolve, reject) => {
        const { name } = create.collection;
        const line = lines.get(name) ?? { waiting: [], underWay: 0, scheduled: false };
        lines.set(name, line);
        line.waiting.push({ ...create, resolve, reject });
        schedule(name, line);
      }),
  };
}

/** The next creates that fit into one command, all of the same collection (it may have been dropped and made anew). */
function takeSome(line: Line): readonly Job[] {
  let count = 0;
  let characters = 0;
  for (const { write, collection } of line.waiting) {
    characters += write.text.length;
    const fits = characters <= MOST.characters && collection.uuid === line.waiting[0]?.collection.uuid;
    if (count > 0 && (!fits || count === MOST.documents)) break;
    count += 1;
  }
  return line.waiting.splice(0, count);
}

function insertOf(jobs: readonly Job[]): Document {
  const [first] = jobs;
  const documents = jobs.map(({ document }) => document);
  return { insert: first?.collection.name, documents, ordered: false, collectionUUID: first?.collection.uuid };
}

function settle(jobs: readonly Job[], reply: WriteReply): void {
  const faults = new Map(reply.writeErrors?.map((error) => [error.index, error]));
  for (const [i, job] of jobs.entries()) {
    const fault = faults.get(i);
    if (fault) job.reject(faultOf(job, fault));
    else job.resolve(reply.operationTime);
  }
}

/** Of what was refused by itself that is certain; the rest shares the command's end. */
function fail(jobs: readonly Job[], error: unknown): void {
  const { cause } = error as GalleyError;
  const items: readonly WriteItemError[] =
    cause instanceof MongoWriteConcernError ? (cause.result.writeErrors ?? []) : [];
  const faults = new Map(items.map((item) => [item.index, item]));
  for (const [i, job] of jobs.entries()) {
    const fault = faults.get(i);
    job.reject(fault ? faultOf(job, fault) : error);
  }
}

function faultOf({ write, collection }: Job, error: WriteItemError): unknown {
  try {
    return itemFault(write, collection, error);
  } catch (changed) {
    return changed;
  }
}
