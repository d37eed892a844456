/** fault-cases.md F01, F03, F05, F34: the process is ended, in every way, while writes are under way. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import t, { type Test } from "tap";
import { Ledger, sendTo } from "../support/ledger.ts";
import { PROCESS_KEY, type ServerProcess, startGalley, startProcess } from "../support/server-process.ts";

const ROUNDS = 5;
const WRITES = 1000;

function temporaryFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), "galley-fault-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A seeded sequence, so that a schedule can be run again. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Starts writes of every kind, all at once; resolves when each has its end. */
function writeMuch(ledger: Ledger, round: string, count: number): Promise<unknown> {
  const writes: Promise<void>[] = [];
  for (let n = 0; n < count; n++) {
    const id = `${round}-${n}`;
    const kind = n % 10;
    if (kind < 5) writes.push(ledger.create(id));
    else if (kind < 7) writes.push(ledger.createTogether([`${id}-a`, `${id}-b`, `${id}-c`]));
    else writes.push(ledger.add(`${round}-counter-${n % 4}`, 1));
  }
  return Promise.all(writes);
}

/** Waits until the server has answered `count` requests more, by the ledger's own count. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

t.test("F01 kill -9 among 1,000 concurrent writes loses nothing acknowledged and half-applies nothing", async (t) => {
  const seed = Number(process.env.GALLEY_TEST_SEED ?? Date.now() % 100_000);
  t.comment(`seed ${seed}`);
  const random = numbers(seed);
  const folder = temporaryFolder(t);
  let server = await startGalley(folder);
  const ledger = new Ledger(
    "ledger",
    sendTo(() => server.url, PROCESS_KEY),
  );
  let cutOff = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const before = ledger.ends.applied;
    const target = Math.floor(random() * WRITES * 0.7);
    const writes = writeMuch(ledger, `r${round}`, WRITES);
    await until(() => ledger.ends.applied - before >= target);
    await server.end("SIGKILL");
    await writes;
    const started = performance.now();
    server = await startGalley(folder);
    t.ok(performance.now() - started < 5000, "it is ready within 5 s");
    cutOff += ledger.ends.unknown;
    await ledger.settle();
    t.same(await ledger.breaches(), [], `round ${round}: killed after ${target} answers`);
  }
  t.ok(cutOff > 0, `the kills cut ${cutOff} writes off`);
  await server.end("SIGTERM");
  const database = new Database(join(folder, "galley.db"), { readonly: true });
  t.equal(database.pragma("integrity_check", { simple: true }), "ok");
  database.close();
});

t.test("F03 killed after the commit and before the answer, a repeat with the same key has one effect", async (t) => {
  const folder = temporaryFolder(t);
  const args = ["--import=tsx", "--conditions=galley-source", "tests/support/dying-galley.ts"];
  let server = await startProcess(args, { DYING_FOLDER: folder, DIE_AT: "before-reply" });
  const send = sendTo(() => server.url, PROCESS_KEY);
  const document = { title: "once" };
  t.equal(await send("POST", "/v1/documents/posts", document, "key-1"), undefined, "no answer came");
  await server.end("SIGKILL");
  server = await startGalley(folder);
  t.teardown(() => server.end("SIGKILL"));
  const answer = await send("POST", "/v1/documents/posts", document, "key-1");
  t.equal(answer?.status, 201);
  const again = await send("POST", "/v1/documents/posts", document, "key-1");
  t.same(again, answer, "and the same answer each time");
  const count = await send("POST", "/v1/documents/posts/count", {}, undefined);
  t.match(count?.body, { count: 1 });
});

t.test("F05 a second Galley on the folder is refused in one line; a killed one leaves no lock", async (t) => {
  const folder = temporaryFolder(t);
  const first = await startGalley(folder);
  await t.rejects(startGalley(folder), { message: /in use/ });
  t.equal((await fetch(`${first.url}/v1/ready`)).status, 200, "the first goes on");
  await first.end("SIGKILL");
  const third = await startGalley(folder);
  t.equal(await third.end("SIGTERM"), 0);
});

t.test("F34 SIGTERM under load answers everything in flight and exits 0", async (t) => {
  const folder = temporaryFolder(t);
  let server: ServerProcess = await startGalley(folder);
  const ledger = new Ledger(
    "ledger",
    sendTo(() => server.url, PROCESS_KEY),
  );
  const writes = writeMuch(ledger, "stop", 400);
  await until(() => ledger.ends.applied >= 50);
  const code = server.end("SIGTERM");
  await writes;
  t.equal(await code, 0);
  const { applied, unknown } = ledger.ends;
  t.ok(applied >= 50);
  t.comment(`${applied} applied, ${unknown} met a closed port`);
  server = await startGalley(folder);
  t.teardown(() => server.end("SIGTERM"));
  await ledger.settle();
  t.same(await ledger.breaches(), []);
});
