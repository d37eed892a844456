import type { Document, Timestamp } from "mongodb";
import type { ObjectValue } from "#protocol/values";
import { parseText } from "#protocol/values";
import type { Write } from "../document-store.ts";
import { unknownCollection, versionConflict } from "../write-refusals.ts";
import type { Catalog } from "./catalog.ts";
import type { Connection } from "./connect.ts";
import { createMergedCreates } from "./merged-creates.ts";
import type { PointReader } from "./point-reads.ts";
import { sendWrite } from "./send.ts";
import type { Sessions } from "./sessions.ts";
import { toBson } from "./values.ts";
import { versionFilter } from "./version-filter.ts";
import { CollectionChanged, fitFault, itemFault } from "./write-faults.ts";

export interface WriteParts {
  readonly connection: Connection;
  readonly catalog: Catalog;
  readonly sessions: Sessions;
  readonly points: PointReader;
}

type Put = Extract<Write, { kind: "put" }>;

/**
 * Makes the function that does one write by itself: one command, filtered by id and version, which MongoDB applies whole
 * or not at all.
 *
 * The value is what the text of a put says, if it is at hand.
 *
 * @returns a cluster time at which its effect is visible
 */
export function createSingleWrites({ connection, catalog, sessions, points }: WriteParts) {
  const creates = createMergedCreates(connection, sessions);

  return (write: Write, value?: ObjectValue): Promise<Timestamp | undefined> => {
    switch (write.kind) {
      case "put": {
        const document = value ?? (parseText(write.text) as ObjectValue);
        return write.expect === 0 ? create(write, document) : replace(write, write.expect, document);
      }
      case "delete":
        return write.expect === 0 ? demand(write) : remove(write);
      case "check":
        return demand(write);
    }
  };

  async function create(write: Put, value: ObjectValue): Promise<Timestamp> {
    for (;;) {
      const collection = catalog.get(write.collection) ?? (await catalog.refresh(write.collection));
      if (!collection) throw unknownCollection(write.collection);
      const fault = fitFault(collection, value);
      if (fault) {
        await demand(write);
        throw fault;
      }
      try {
        return await creates.insert({ write, collection, document: toBson(value) });
      } catch (error) {
        if (!(error instanceof CollectionChanged)) throw error;
        await catalog.refresh(write.collection);
      }
    }
  }

  async function replace(write: Put, expect: number, value: ObjectValue): Promise<Timestamp> {
    const collection = catalog.get(write.collection) ?? (await catalog.refresh(write.collection));
    // What a collection that is not there holds counts as absent, and this demands a document.
    if (!collection) throw versionConflict(write.collection, write.id);
    const fault = fitFault(collection, value);
    if (fault) {
      await demand(write);
      throw fault;
    }
    const reply = await send(write, { updates: [{ q: versionFilter(write.id, expect), u: toBson(value) }] }, "update");
    const [refusal] = reply.writeErrors ?? [];
    if (refusal) throw itemFault(write, collection, refusal);
    if (reply.n === 0) throw versionConflict(write.collection, write.id);
    return reply.operationTime;
  }

  async function remove(write: Extract<Write, { kind: "delete" }>): Promise<Timestamp> {
    const reply = await send(write, { deletes: [{ q: versionFilter(write.id, write.expect), limit: 1 }] }, "delete");
    if (reply.n === 0) throw versionConflict(write.collection, write.id);
    return reply.operationTime;
  }

  function send({ collection }: Write, statements: Document, kind: "update" | "delete") {
    const command = { [kind]: collection, ...statements };
    return sessions.use(connection.clientOf(collection), (session) =>
      sendWrite(connection, session, connection.db(collection), command),
    );
  }

  /** A write that changes nothing, by itself, is a read that fails. */
  async function demand({ collection, id, expect }: Write): Promise<undefined> {
    const version = await points.version(collection, id);
    if (version !== expect) throw versionConflict(collection, id);
    return undefined;
  }
}
