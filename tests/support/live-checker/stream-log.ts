/** Commits of a MongoDB, seen by a change stream of the test's own: no part of Galley orders or groups them. */
import {
  Binary,
  type ChangeStream,
  type ChangeStreamDocument,
  type Document,
  Long,
  MongoClient,
  type Timestamp,
} from "mongodb";
import { encodeValue } from "#protocol/values";
import { rowOf } from "../../../server/stores/mongodb/rows.ts";
import { fromBson } from "../../../server/stores/mongodb/values.ts";
import type { Teardown } from "../teardown.ts";
import { until } from "../until.ts";
import { type CommitLog, isWatched, type LoggedChange, type LoggedCommit, type LoggedDocument } from "./commit-log.ts";

/** A member of stored documents that is the engine's own. */
const HIDDEN = "_l";
/** In a row, and milliseconds between two. */
const MOST_TRIES = 100;
const AGAIN_MS = 100;

/** Begin before anything is written. Follows elections, and is not to be cut off itself. */
export async function followMongo(t: Teardown, url: string): Promise<CommitLog> {
  // Not with bigints: the driver takes the id of its cursor for a number now and then.
  const client = new MongoClient(url, { promoteBuffers: false, promoteLongs: false });
  const commits: LoggedCommit[] = [];
  const groups = new Groups(commits);
  let failed: unknown;
  let closed = false;
  let tries = 0;
  // Of the whole server: one of the database ends with it, and others may drop that.
  const open = (after?: object): ChangeStream => {
    const pipeline = [{ $match: { "ns.db": client.db().databaseName } }];
    const opened = client.watch(pipeline, after && { resumeAfter: after });
    opened.on("change", (event) => {
      tries = 0;
      groups.take(event);
    });
    opened.on("error", (error) => {
      const token = opened.resumeToken as object | undefined;
      // The driver goes on by itself once. An election may take longer than that.
      if (!closed && token && tries++ < MOST_TRIES) {
        setTimeout(() => {
          if (!closed) stream = open(token);
        }, AGAIN_MS);
      } else failed = error;
    });
    return opened;
  };
  let stream = open();
  t.teardown(async () => {
    closed = true;
    await stream.close();
    await client.close();
  });
  // The stream stands once it is asked for the first time.
  await until(() => stream.resumeToken !== undefined && stream.resumeToken !== null, 30, "a stream of the test's own");

  return {
    commits,
    orderOf: (position) => position.slice(position.lastIndexOf(".") + 1),
    async settled() {
      const { operationTime } = await client.db().command({ ping: 1 });
      const now = placeOf(operationTime as Timestamp);
      await until(() => failed !== undefined || groups.through > now, 60, "events of the test's own stream");
      if (failed) throw failed;
    },
    close: () => {},
  };
}

function placeOf({ t, i }: Timestamp): string {
  return [t, i].map((part) => part.toString(16).padStart(8, "0")).join("");
}

/** All events of one cluster time are one commit, which is whole when a later one has come. */
class Groups {
  /** The place of the last event. */
  through = "";
  readonly #commits: LoggedCommit[];
  /** Documents as they are, for what another program changes in place or moves. */
  readonly #documents = new Map<string, Map<string, LoggedDocument>>();
  #open: { readonly place: string; readonly changes: LoggedChange[]; readonly dropped: string[] } | undefined;

  constructor(commits: LoggedCommit[]) {
    this.#commits = commits;
  }

  take(event: ChangeStreamDocument): void {
    if (!event.clusterTime) return;
    const place = placeOf(event.clusterTime);
    if (this.#open && this.#open.place !== place) this.#close();
    this.through = place;
    const open = this.#open ?? { place, changes: [], dropped: [] };
    this.#open = open;
    if (event.operationType === "drop") this.#drop(event.ns.coll, open.dropped);
    else if (event.operationType === "rename") {
      const moved = this.#of(event.ns.coll);
      this.#drop(event.to.coll, open.dropped);
      this.#drop(event.ns.coll, open.dropped);
      for (const document of moved.values()) this.#put(event.to.coll, document.id, document);
    } else if ("documentKey" in event && isWatched(event.ns.coll)) {
      const { coll } = event.ns;
      const id = String(event.documentKey._id);
      if (event.operationType === "update") this.#update(coll, id, event.updateDescription);
      else
        this.#put(coll, id, "fullDocument" in event ? rowOf(withBigints(event.fullDocument) as Document) : undefined);
    }
  }

  #close(): void {
    const open = this.#open;
    this.#open = undefined;
    if (!open || (open.changes.length === 0 && open.dropped.length === 0)) return;
    const { place, changes, dropped } = open;
    // The last word on each document.
    const last = new Map(changes.map((change) => [`${change.collection}/${change.id}`, change]));
    this.#commits.push({ position: `.${place}`, changes: [...last.values()], ...(dropped.length > 0 && { dropped }) });
  }

  #put(collection: string, id: string, document: LoggedDocument | undefined): void {
    if (document) this.#of(collection).set(id, document);
    else this.#of(collection).delete(id);
    this.#open?.changes.push({ collection, id, document });
  }

  #update(collection: string, id: string, { updatedFields = {}, removedFields = [] }: UpdateDescription): void {
    const fields = Object.fromEntries(Object.entries(updatedFields).filter(([name]) => name !== HIDDEN));
    const known = this.#of(collection).get(id);
    if (!known || (Object.keys(fields).length === 0 && removedFields.every((name) => name === HIDDEN))) return;
    const value = { ...known.value, ...fromBson(withBigints(fields) as Document) };
    for (const name of removedFields) delete (value as Record<string, unknown>)[name];
    this.#put(collection, id, { id, version: versionOf(value._v), value, text: encodeValue(value) });
  }

  #drop(collection: string, dropped: string[]): void {
    dropped.push(collection);
    this.#documents.set(collection, new Map());
  }

  #of(collection: string): Map<string, LoggedDocument> {
    const known = this.#documents.get(collection);
    if (known) return known;
    const made = new Map<string, LoggedDocument>();
    this.#documents.set(collection, made);
    return made;
  }
}

/** What another program stored without a version, or with an odd one, is at version 1. */
function versionOf(stored: unknown): number {
  const version = typeof stored === "bigint" ? Number(stored) : stored;
  return typeof version === "number" && Number.isSafeInteger(version) && version > 0 ? version : 1;
}

/** As the store reads them. */
function withBigints(value: unknown): unknown {
  if (value instanceof Long) return value.toBigInt();
  if (Array.isArray(value)) return value.map(withBigints);
  if (typeof value !== "object" || value === null || value instanceof Date || value instanceof Binary) return value;
  if ("_bsontype" in value) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, withBigints(member)]));
}

interface UpdateDescription {
  readonly updatedFields?: Document;
  readonly removedFields?: readonly string[];
}
