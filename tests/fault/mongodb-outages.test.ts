/** fault-cases.md F01, F09, F10, F14, F39 on MongoDB: the server or Galley itself is absent, killed, or of the wrong kind. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { startGalleyOn } from "../support/galley-on-mongodb.ts";
import { killRounds } from "../support/kill-rounds.ts";
import { Ledger } from "../support/ledger.ts";
import { newDatabase, unlessAbsent, useOwnMongod, withDatabase } from "../support/mongod.ts";
import { startMongodProcess } from "../support/mongod-process.ts";
import { findMongod } from "../support/mongod-program.ts";
import { run } from "../support/programs.ts";
import { chooseSeed, seeded } from "../support/seeded.ts";
import { until } from "../support/until.ts";
import { startWriters } from "../support/writers.ts";

const OUTAGE_MS = 10_000;
/** Far below a server selection time-out, and enough for a busy machine. */
const AT_ONCE_MS = 5000;

const mongod = await useOwnMongod(t);
const standalone = await unlessAbsent(t, async () => startMongodProcess(await findMongod(), {}));
if (mongod && standalone) {
  const server = mongod.process;
  await server.kill();
  const galley = await startGalleyOn(t, mongod.url);

  t.test("F09 without its MongoDB Galley is up and says so, and connects by itself", async (t) => {
    t.equal(await galley.status("health"), 200);
    t.equal(await galley.status("ready"), 503);
    const began = performance.now();
    const refused = { status: 503, body: { error: { code: "unavailable", details: { outcome: "not_applied" } } } };
    t.match(await galley.send("POST", "/v1/documents/posts", { n: 1 }, undefined), refused);
    t.match(await galley.send("POST", "/v1/documents/posts", { n: 1 }, "key-1"), refused);
    t.equal((await galley.send("GET", "/v1/documents/posts/a", undefined, undefined))?.status, 503);
    t.equal((await galley.send("POST", "/v1/admin/collections", { name: "posts" }, undefined))?.status, 503);
    t.ok(performance.now() - began < 4 * 1500, "each at once");
    await server.start();
    const there = performance.now();
    await until(async () => (await galley.status("ready")) === 200, 30);
    t.ok(performance.now() - there < 5000, "it was ready within 5 s");
    t.equal((await galley.send("POST", "/v1/documents/posts", { n: 1 }, "key-1"))?.status, 201);
  });

  t.test("F10 mongod killed in mid-load: outcomes at once, recovery by itself, and the ledger holds", async (t) => {
    const ledger = new Ledger("ledger", galley.send);
    const seed = chooseSeed();
    const writers = startWriters(ledger, "w", 8, seed);
    await until(() => ledger.ends.applied >= 200);
    await server.kill();
    const killed = performance.now();
    await until(() => performance.now() - killed > OUTAGE_MS); // The outage itself, under load all the time.
    t.equal(await galley.status("health"), 200);
    t.equal(await galley.status("ready"), 503);
    const { applied, not_applied } = ledger.ends;
    t.ok(not_applied > 20, `${not_applied} were refused as not applied`);
    await server.start();
    const there = performance.now();
    await until(() => ledger.ends.applied > applied + 50, 30);
    t.ok(performance.now() - there < 10_000, "writes flow again");
    await writers.stop();
    t.comment(`seed ${seed}: ${JSON.stringify(ledger.ends)}, slowest answer ${ledger.slowest.toFixed(0)} ms`);
    t.ok(ledger.slowest < AT_ONCE_MS, "no request waited for the server");
    await ledger.settle();
    t.same(await ledger.breaches(), []);
  });

  t.test("F01 kill -9 of Galley among 500 writes at once on MongoDB loses and half-applies nothing", async (t) => {
    const seed = chooseSeed();
    const env = { GALLEY_MONGODB_URL: withDatabase(mongod.url, newDatabase()) };
    const report = await killRounds({ folder: temporaryFolder(t), env, rounds: 1, seed, writes: 500 });
    t.comment(`seed ${seed}: ${report.writes} writes, ${report.cutOff} cut off`);
    t.same(report.breaches, []);
    t.ok(report.cutOff > 0, "the kills cut writes off");
    t.ok(report.slowestStart < 5000, "it was ready within 5 s each time");
  });

  t.test("F39 20 requests with one key, killed in the middle and repeated: one effect, one answer", async (t) => {
    const seed = chooseSeed();
    const random = seeded(seed);
    t.comment(`seed ${seed}`);
    await galley.send("PUT", "/v1/documents/counters/c", { n: 0 }, undefined);
    for (let round = 1; round <= 2; round++) {
      const send = () => galley.send("PATCH", "/v1/documents/counters/c", { $inc: { n: 1 } }, `round-${round}`);
      const answers = Array.from({ length: 20 }, send);
      const end = performance.now() + random() * 30;
      await until(() => performance.now() >= end);
      await galley.kill();
      await galley.start();
      const all = [...(await Promise.all(answers)), ...(await Promise.all(Array.from({ length: 20 }, send)))];
      const bodies = all.filter((answer) => answer !== undefined).map((answer) => JSON.stringify(answer));
      t.equal(new Set(bodies).size, 1, `round ${round}: one answer for all`);
      t.match(JSON.parse(bodies[0] ?? ""), { status: 200, body: { n: round } });
    }
  });

  t.test("F14 a standalone mongod is refused with the command that makes it a replica set", async (t) => {
    const env = { ...process.env, GALLEY_MONGODB_URL: `mongodb://${standalone.host}/x`, GALLEY_PORT: "0" };
    const start = run(process.execPath, ["server/galley.cjs", "start", "--data-dir", temporaryFolder(t)], { env });
    const error: { code?: number; stderr?: string } = await start.then(
      () => ({}),
      (error: object) => error,
    );
    t.ok(error.code, "it ends with an error");
    const lines = (error.stderr ?? "").trim().split("\n");
    t.equal(lines.length, 1, error.stderr ?? "");
    t.match(lines[0] ?? "", /mongod --replSet .*rs\.initiate\(\)/);
  });

  t.test("F14 a standalone mongod that comes later is told in the log, and never used", async (t) => {
    await standalone.kill();
    const galley = await startGalleyOn(t, `mongodb://${standalone.host}/x`);
    t.equal(await galley.status("ready"), 503);
    await standalone.start();
    await until(() => /mongod --replSet .*rs\.initiate\(\)/.test(galley.process.said()), 20);
    t.equal(await galley.status("ready"), 503);
    t.match(await galley.send("POST", "/v1/documents/posts", {}, undefined), { status: 503 });
  });
}

function temporaryFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), "galley-fault-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
