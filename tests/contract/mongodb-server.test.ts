/**
 * What MongoDB's store owes on a server of its own, which these tests stall, kill and let fail: one after the other on one
 * server, since a start costs two seconds of a core.
 */
import t, { type Test } from "tap";
import { newDatabase, type OwnMongod, useOwnMongod, withDatabase } from "../support/mongod.ts";
import { testBuilds } from "./mongodb-builds.ts";
import { testNodes } from "./mongodb-nodes.ts";
import { testOrphans } from "./mongodb-orphans.ts";
import { testReads } from "./mongodb-reads.ts";
import { testTail } from "./mongodb-tail.ts";
import { testWrites } from "./mongodb-writes.ts";

const PARTS: Readonly<Record<string, (t: Test, mongod: OwnMongod) => Promise<void> | void>> = {
  reads: testReads,
  writes: testWrites,
  "the tail": testTail,
  nodes: testNodes,
  orphans: testOrphans,
  builds: testBuilds,
};

t.setTimeout(600_000);

const mongod = await useOwnMongod(t);
if (mongod) {
  for (const [part, test] of Object.entries(PARTS)) {
    // Their collections have the same names.
    t.test(part, async (t) => test(t, { ...mongod, url: withDatabase(mongod.url, newDatabase()) }));
  }
}
