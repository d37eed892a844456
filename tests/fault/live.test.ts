/** Live queries through faults, checked at every position: fault-cases.md F11, F15 to F18, F21, F23 to F25, F27, F28. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { MongoClient } from "mongodb";
import t, { type Test } from "tap";
import { CLOSE } from "#protocol/frames";
import { failCommand } from "../support/fail-points.ts";
import type { CheckReport } from "../support/live-checker/check.ts";
import { followFile } from "../support/live-checker/file-log.ts";
import { writeAsOthers } from "../support/live-checker/foreign.ts";
import { sender } from "../support/live-checker/in-process.ts";
import { setUp } from "../support/live-checker/load.ts";
import { type KillableGalley, startKillable } from "../support/live-checker/processes.ts";
import { type Checked, makeHolders, runChecked } from "../support/live-checker/run.ts";
import { followMongo } from "../support/live-checker/stream-log.ts";
import { World } from "../support/live-checker/world.ts";
import { newDatabase, useOwnMongod, withDatabase } from "../support/mongod.ts";
import { NO_LIMITS } from "../support/no-limits.ts";
import { LOADER, ownModule } from "../support/own-modules.ts";
import { useReplicaSet } from "../support/replica-set.ts";
import { chooseSeed } from "../support/seeded.ts";
import { PROCESS_KEY, startProcess } from "../support/server-process.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import { Random } from "../support/trap-pool.ts";
import { until } from "../support/until.ts";

/** What a client may be told while its server, or the store behind it, is away. */
const AWAY = { errors: ["unavailable", "timeout"], closes: [1012, 1013, 4409] } as const;
const SECRET = "a-secret-that-all-of-the-nodes-share";
/** The embedded store holds no lease; nodes on MongoDB lose touch. */
const STALL_MS = { sqlite: 1000, mongodb: 3000 } as const;
const APP = { app: "galley" };
const INCREMENTS = 400;

type Run = (
  t: Test,
  commits: number,
  faults: (after: (count: number) => Promise<void>) => Promise<void>,
  more?: Partial<Parameters<typeof runChecked>[1]>,
) => Promise<CheckReport>;

/** Runs that go on from one another, on one log. */
async function prepare(t: Test, checked: Checked, seed: number): Promise<Run> {
  t.comment(`seed ${seed}`);
  await setUp(checked.send);
  const holders = await makeHolders(checked.send, 2, checked.key);
  const world = new World(checked.log.orderOf);
  let runs = 0;
  return async (t, commits, faults, more = {}) => {
    /** Waits for commits, so that a fault happens under load. */
    const after = async (count: number) => {
      const upTo = checked.log.commits.length + count;
      await until(() => checked.log.commits.length >= upTo, 60, `${count} commits more`);
    };
    const report = await runChecked(checked, {
      ...{ seed: seed + 100 * runs++, commits, holders, world, publishes: 0, sockets: 6, writers: 4, ...AWAY },
      meanwhile: () => faults(after),
      ...more,
    });
    t.comment(`${report.commits} commits, ${JSON.stringify(report.tally)}`);
    t.same(report.faults.slice(0, 5), [], `no differences, seed ${seed}`);
    return report;
  };
}

/** Stalls it, and lets it go on. */
async function stall(galley: KillableGalley, engine: keyof typeof STALL_MS): Promise<void> {
  galley.stall();
  await new Promise((resolve) => setTimeout(resolve, STALL_MS[engine]));
  galley.resume();
}

t.test("on sqlite", async (t) => {
  const seed = chooseSeed();
  const args = [...LOADER, fileURLToPath(ownModule("tests/support/live-checker/logged-galley"))];
  const folder = mkdtempSync(join(tmpdir(), "galley-log-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "commits");
  const fileLog = followFile(path);
  t.teardown(() => fileLog.close());
  const galley = await startKillable(t, { GALLEY_SECRET: SECRET, CHECKER_LOG: path }, (folder, env) =>
    startProcess(args, { GALLEY_DATA_DIR: folder, GALLEY_PORT: "0", GALLEY_SERVICE_KEY: PROCESS_KEY, ...env }),
  );
  const url = () => galley.url;
  const checked = { urls: () => [url()], key: PROCESS_KEY, log: fileLog, send: sender(url, PROCESS_KEY) };
  const run = await prepare(t, checked, seed);

  t.test("F25 F27 killed, stalled and stopped: clients come back and are right", async (t) => {
    const { tally } = await run(
      ...([t, 200] as const),
      async (after) => {
        await after(30);
        await galley.restart();
        await after(30);
        await stall(galley, "sqlite");
        await after(30);
        t.equal(await galley.drain(), 0);
        await galley.start();
        await after(30);
      },
      { sdk: 2 },
    );
    t.ok((tally.closes[CLOSE.draining] ?? 0) > 0, "it said that it stops");
  });
});

t.test("on mongodb", async (t) => {
  const mongod = await useOwnMongod(t, { oplogSize: 1, syncDelay: 1 });
  if (!mongod) return;
  const { host } = mongod.process;
  const url = withDatabase(mongod.url, newDatabase());
  const seed = chooseSeed();
  const proxy = await startTcpProxy(host);
  t.teardown(() => proxy.close());
  const client = new MongoClient(url);
  t.teardown(() => client.close());
  const log = await followMongo(t, url);
  const behind = withDatabase(`mongodb://${proxy.host}/x?directConnection=true`, new URL(url).pathname.slice(1));
  const one = await startKillable(t, { GALLEY_MONGODB_URL: behind, GALLEY_SECRET: SECRET });
  const other = await startKillable(t, { GALLEY_MONGODB_URL: url, GALLEY_SECRET: SECRET });
  const random = new Random(seed);
  const urls = () => [one.url, other.url];
  const send = sender(() => random.pick(urls()), PROCESS_KEY);
  const run = await prepare(t, { urls, key: PROCESS_KEY, log, send }, seed);

  t.test("F17 F18 a stream and transactions that fail, a network that is cut and slow, two nodes", async (t) => {
    const all = async (after: (count: number) => Promise<void>) => {
      const faults: (() => Promise<unknown>)[] = [
        () => failCommand(t, host, { failCommands: ["getMore"], errorCode: 43 }, 2),
        () => failCommand(t, host, { failCommands: ["getMore"], closeConnection: true }, 2),
        () => killCursors(host),
        () =>
          failCommand(
            ...([t, host] as const),
            { failCommands: ["commitTransaction"], errorCode: 112, errorLabels: ["TransientTransactionError"] },
            3,
          ),
        () => failCommand(t, host, { failCommands: ["commitTransaction"], closeConnection: true }, 2),
        async () => proxy.cut(APP),
        async () => proxy.harm({ ...APP, request: { delayMs: 80 }, answer: { delayMs: 80 } }),
        () => proxy.heal(),
      ];
      for (const fault of faults) {
        await after(15);
        await fault();
      }
    };
    await run(t, 160, all, { sdk: 2 });
  });

  t.test("F16 F21 another program writes, drops a collection and moves another", async (t) => {
    const { tally } = await run(
      ...([t, 140] as const),
      async (after) => {
        await after(15);
        await writeAsOthers(client.db(), random, 60);
        await client.db().dropCollection("drafts");
        await after(15);
        await client.db().renameCollection("mixed", "elsewhere");
        await after(15);
        await writeAsOthers(client.db(), random, 20);
      },
      { sdk: 2 },
    );
    t.ok((tally.resets.dropped ?? 0) > 0, "results of what was dropped are told anew");
  });

  t.test("F23 F25 F27 one of two nodes is killed, stalled and stopped", async (t) => {
    await run(t, 120, async (after) => {
      await after(20);
      await one.restart();
      await after(20);
      await stall(one, "mongodb");
      await after(20);
      t.equal(await one.drain(), 0);
      await one.start();
      await after(20);
    });
  });

  t.test("F24 SIGTERM with 200 sockets: each is told, comes back, and has missed nothing", async (t) => {
    const { tally } = await run(
      ...([t, 60] as const),
      async (after) => {
        await after(15);
        t.equal(await one.drain(), 0);
        await one.start();
        await after(15);
      },
      // A person may hold 50 sockets.
      { sockets: 200, questions: 1, writers: 2, holders: await makeHolders(send, 6, PROCESS_KEY) },
    );
    t.ok((tally.closes[CLOSE.draining] ?? 0) > 60, `${tally.closes[CLOSE.draining]} were told that it stops`);
  });

  t.test("F28 one document incremented by 50 at once, and watched by many", async (t) => {
    const put = () => send("PUT", "/v1/documents/notes/sum", { n: 0, open: true });
    await until(async () => [200, 201].includes((await put())?.status ?? 0), 30, "a document to count in");
    await run(t, INCREMENTS, async () => {
      const add = async () => {
        for (let n = 0; n < INCREMENTS / 50; ) {
          // Refused under so much contention, nothing was applied.
          if ((await send("PATCH", "/v1/documents/notes/sum", { $inc: { n: 1 } }))?.status === 200) n++;
        }
      };
      await Promise.all(Array.from({ length: 50 }, add));
    });
    const sum = (await send("GET", "/v1/documents/notes/sum"))?.body as { n: number };
    t.equal(sum.n, INCREMENTS);
  });

  t.test("F15 history that is lost while a node cannot reach it: all is told anew", async (t) => {
    const { tally } = await run(
      ...([t, 120] as const),
      async (after) => {
        await after(20);
        const { operationTime } = await client.db().command({ ping: 1 });
        await proxy.refuse();
        proxy.cut(APP);
        await pushOut(client, operationTime.t);
        await proxy.heal();
        await after(30);
      },
      // Rights are read anew as well.
      { resets: ["history", "rights"], sdk: 2, sockets: 12 },
    );
    t.ok((tally.resets.history ?? 0) > 0, "by its name");
  });

  t.test("F16 another program drops the database: all is told anew, and begins anew", async (t) => {
    const { tally } = await run(
      ...([t, 60] as const),
      async (after) => {
        await after(20);
        await client.db().dropDatabase();
        for (const url of urls()) await until(() => knowsNothing(url), 60, "a node that has begun anew");
        await setUp(send);
        await after(20);
      },
      // Whoever had signed in has gone with it.
      { holders: await makeHolders(send, 0, PROCESS_KEY), resets: ["history", "rights"] },
    );
    t.ok((tally.resets.history ?? 0) + (tally.resets.dropped ?? 0) > 0, "for what happened");
  });
});

t.test("F11 the primary steps down, and is killed", async (t) => {
  const set = await useReplicaSet(t);
  if (!set) return;
  const seed = chooseSeed();
  const log = await followMongo(t, set.url);
  const galley = await startKillable(t, { GALLEY_MONGODB_URL: set.url, GALLEY_SECRET: SECRET });
  const send = sender(() => galley.url, PROCESS_KEY);
  const run = await prepare(t, { urls: () => [galley.url], key: PROCESS_KEY, log, send }, seed);
  await run(
    ...([t, 100] as const),
    async (after) => {
      await after(20);
      await set.stepDown();
      await after(20);
      const { mongod } = await set.primary();
      await mongod.kill();
      await set.primary();
      await after(20);
      await mongod.start();
      await after(10);
    },
    { sdk: 2 },
  );
});

/** Whether a node has seen that all collections are gone, and has made its own anew: writers declare others meanwhile. */
async function knowsNothing(url: string): Promise<boolean> {
  const send = sender(() => url, PROCESS_KEY);
  const listed = (await send("GET", "/v1/admin/collections"))?.body as
    | { collections?: { indexes: unknown[] }[] }
    | undefined;
  const isAnew = listed?.collections?.every(({ indexes }) => indexes.length === 0);
  return isAnew === true && (await send("PATCH", "/v1/admin/settings", NO_LIMITS))?.status === 200;
}

/** Those with which Galley follows the database. */
async function killCursors(host: string): Promise<void> {
  const client = new MongoClient(`mongodb://${host}/?directConnection=true&appName=tests`, { promoteLongs: false });
  const operations = await client
    .db("admin")
    .aggregate([{ $currentOp: { allUsers: true, idleCursors: true } }, { $match: { appName: "galley" } }])
    .toArray();
  for (const { ns, cursor } of operations) {
    if (!cursor) continue;
    const [database, ...collection] = String(ns).split(".");
    await client.db(database).command({ killCursors: collection.join("."), cursors: [cursor.cursorId] });
  }
  await client.close();
}

/** Writes until the history of the server begins after a time. */
async function pushOut(client: MongoClient, seconds: number): Promise<void> {
  await until(async () => {
    const bulk = Array.from({ length: 8 }, () => ({ text: "x".repeat(1_000_000) }));
    await client.db("elsewhere").collection("bulk").insertMany(bulk);
    const oplog = client.db("local").collection("oplog.rs");
    const [oldest] = await oplog
      .find({}, { projection: { ts: 1 } })
      .sort({ $natural: 1 })
      .limit(1)
      .toArray();
    return oldest?.ts.t > seconds + 1;
  });
}
