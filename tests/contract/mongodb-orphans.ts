/** What a killed process leaves open on the server: server/stores/mongodb/orphans.ts. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { MongoClient } from "mongodb";
import type { Test } from "tap";
import { pooledRandom } from "../../server/random-bytes.ts";
import { openMongoStore } from "../../server/stores/mongodb/store.ts";
import type { OwnMongod } from "../support/mongod.ts";
import { until } from "../support/until.ts";
import { put } from "./document-store/fixture.ts";

/** A stranger's process, as like to a killed Galley as the server can tell: it holds a transaction open. */
const HOLDER = `
  import { MongoClient } from "mongodb";
  const client = new MongoClient(process.argv[1]);
  const session = client.startSession();
  session.startTransaction();
  await client.db().collection("notes").updateOne({ _id: process.argv[2] }, { $set: { n: 2 } }, { session });
  console.log("open");
  setInterval(() => {}, 1000);
`;

export function testOrphans(t: Test, mongod: OwnMongod): void {
  const open = () => openMongoStore({ url: mongod.url, clock: Date.now, random: pooledRandom(), warn: () => {} });
  const client = new MongoClient(mongod.url);
  t.teardown(() => client.close());
  const transactions = async () => {
    const stages = [
      { $currentOp: { idleSessions: true } },
      { $match: { type: "idleSession", transaction: { $exists: true } } },
    ];
    return (await client.db("admin").aggregate(stages).toArray()).length;
  };
  const hold = async (id: string, options: string) => {
    const args = ["--input-type=module", "-e", HOLDER, mongod.url + options, id];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    t.teardown(() => child.kill("SIGKILL"));
    await once(child.stdout, "data");
    return child;
  };

  t.test("a transaction of a killed process is ended, and its documents can be written", async (t) => {
    const store = await open();
    t.teardown(() => store.close());
    await store.ensureCollection({ name: "notes", indexes: [] });
    const first = put(store, "a", { n: 1 });
    await store.commit([first]);
    const child = await hold("a", "&appName=galley");
    t.equal(await transactions(), 1);
    child.kill("SIGKILL");
    await once(child, "exit");
    const began = performance.now();
    await store.commit([put(store, "a", { n: 3 }, first.version)]);
    t.ok(performance.now() - began < 5000, "long before the server would end it");
    t.equal(await transactions(), 0);
  });

  t.test("it is ended before a store that starts serves", async (t) => {
    const child = await hold("a", "&appName=galley");
    child.kill("SIGKILL");
    await once(child, "exit");
    const killed = performance.now();
    await until(() => performance.now() - killed > 250); // As long as no start is quicker.
    const store = await open();
    t.teardown(() => store.close());
    t.equal(await transactions(), 0);
  });

  t.test("transactions of living processes, and of other programs, are left alone", async (t) => {
    const living = await hold("a", "&appName=galley");
    const store = await open();
    t.teardown(() => store.close());
    await store.ensureCollection({ name: "notes", indexes: [] });
    await store.commit([put(store, "b", { n: 1 })]);
    const stranger = await hold("b", "&appName=stranger");
    stranger.kill("SIGKILL");
    await once(stranger, "exit");
    const began = performance.now();
    await until(() => performance.now() - began > 2500); // Two looks and a half.
    t.equal(await transactions(), 2);
    living.kill("SIGKILL");
    await until(async () => (await transactions()) === 1, 10);
  });
}
