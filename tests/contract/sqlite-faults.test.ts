import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import t, { type Test } from "tap";
import type { Commit, Write } from "../../server/stores/document-store.ts";
import { openSqliteStore } from "../../server/stores/sqlite/store.ts";
import { createSqliteTail } from "../../server/stores/sqlite/tail.ts";
import { ownModule } from "../support/own-modules.ts";
import {
  built,
  count,
  fill,
  find,
  findIds,
  idOf,
  indexStates,
  put,
  refused,
  textsOf,
} from "./document-store/fixture.ts";
import { startStoreProcess } from "./sqlite-process.ts";

const clock = Date.now;

function newFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), "galley-faults-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function integrity(folder: string): unknown {
  const database = new Database(join(folder, "galley.db"), { readonly: true });
  try {
    return database.pragma("integrity_check", { simple: true });
  } finally {
    database.close();
  }
}

t.test("killed under load, it keeps every confirmed commit whole, and opens at once", async (t) => {
  const folder = newFolder(t);
  const confirmed: string[] = [];
  for (let round = 0; round < 4; round++) {
    const child = startStoreProcess("write", folder);
    await child.lines(50 + round * 300);
    await child.kill();
    for (const line of child.told) if (Array.isArray(line)) confirmed.push(...line);
    t.equal(integrity(folder), "ok");
    const store = await openSqliteStore({ folder, clock });
    const rows = await store.get("notes", confirmed);
    t.ok(
      rows.every((row) => row !== undefined),
      `${rows.length} confirmed documents are there`,
    );
    const halves = new Map<string, number>();
    const { rows: indexed } = await find(store, { filter: { n: { $gte: 0 } }, limit: 100_000 });
    for (const { id } of indexed) halves.set(id.slice(0, -2), (halves.get(id.slice(0, -2)) ?? 0) + 1);
    t.ok(
      [...halves.values()].every((n) => n === 2),
      "no commit is half there",
    );
    t.equal((await count(store)).count, indexed.length, "the index holds what the collection holds");
    t.match(await store.stats("notes"), { documents: indexed.length });
    await store.close();
  }
});

t.test("killed between the sync and the answer, the commit is there", async (t) => {
  const folder = newFolder(t);
  const child = startStoreProcess("pause", folder);
  await child.line((line) => line === "paused");
  await child.kill();
  t.notOk(child.told.includes("answered"));
  const store = await openSqliteStore({ folder, clock });
  t.strictSame(await findIds(store), ["a"]);
  await store.close();
});

t.test("killed while it builds indexes, the next start finishes them, and queries are right meanwhile", async (t) => {
  const folder = newFolder(t);
  const first = await openSqliteStore({ folder, clock });
  await first.ensureCollection({ name: "notes", indexes: [] });
  await fill(first, 30_000, (n) => ({ n: n % 100, k: n }));
  await first.close();
  for (let round = 0; round < 3; round++) {
    const child = startStoreProcess("build", folder);
    await child.line((line) => line === "building");
    await child.kill();
    t.equal(integrity(folder), "ok");
  }
  const store = await openSqliteStore({ folder, clock });
  t.teardown(() => store.close());
  t.equal((await count(store, { n: 7 })).count, 300);
  await built(store);
  t.strictSame(await indexStates(store), ["ready", "ready"]);
  t.equal((await count(store, { n: 7 })).count, 300);
  t.strictSame(await findIds(store, { filter: { k: 29_999 } }), [idOf(29_999)]);
  await t.rejects(store.commit([put(store, "x", { k: 5 })]), { code: "unique_violation" });
});

t.test("after a power cut it holds a prefix of the commits, none of them torn", async (t) => {
  const folder = newFolder(t);
  const store = await openSqliteStore({ folder, clock });
  await store.ensureCollection({ name: "notes", indexes: [{ paths: ["n"] }] });
  const ids: string[] = [];
  for (let n = 0; n < 25; n++) {
    ids.push(idOf(2 * n), idOf(2 * n + 1));
    await store.commit([put(store, idOf(2 * n), { n, text: "x".repeat(n * 300) }), put(store, idOf(2 * n + 1), { n })]);
  }
  // What lies on the disk while the process runs; the log is cut as a power cut may leave it.
  const log = readFileSync(join(folder, "galley.db-wal"));
  const main = readFileSync(join(folder, "galley.db"));
  await store.close();
  const frame = 24 + Number(log.readUInt32BE(8));
  const cuts = Array.from({ length: Math.floor((log.length - 32) / frame) + 1 }, (_, n) => 32 + n * frame);
  const odd = cuts.map((cut, n) => Math.min(log.length, cut + ((n * 7919) % frame)));
  let longest = 0;
  for (const cut of [0, 10, ...cuts, ...odd]) {
    const copy = join(folder, `cut-${cut}`);
    mkdirSync(copy);
    writeFileSync(join(copy, "galley.db"), main);
    writeFileSync(join(copy, "galley.db-wal"), log.subarray(0, cut));
    const database = new Database(join(copy, "galley.db"));
    const exists = database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'd_notes'").get() !== undefined;
    const found = exists ? database.prepare("SELECT id FROM d_notes ORDER BY id").pluck().all() : [];
    const indexed = exists ? database.prepare("SELECT count(*) FROM i_notes_1").pluck().get() : 0;
    const sound = database.pragma("integrity_check", { simple: true }) === "ok";
    database.close();
    rmSync(copy, { recursive: true });
    const prefix = found.length % 2 === 0 && found.every((id, n) => id === ids[n]) && indexed === found.length;
    if (!sound || !prefix) t.fail(`cut at ${cut}: ${found.length} documents, ${indexed} in the index`);
    longest = Math.max(longest, found.length);
  }
  t.equal(longest, ids.length);
});

t.test("a copy of file and log, as a crash leaves them, opens with everything in it", async (t) => {
  const folder = newFolder(t);
  const store = await openSqliteStore({ folder: join(folder, "one"), clock });
  await store.ensureCollection({ name: "notes", indexes: [{ paths: ["n"] }] });
  await fill(store, 100, (n) => ({ n }));
  mkdirSync(join(folder, "two"));
  for (const file of ["galley.db", "galley.db-wal"]) copyFileSync(join(folder, "one", file), join(folder, "two", file));
  await store.close();
  const copy = await openSqliteStore({ folder: join(folder, "two"), clock });
  t.equal((await count(copy, { n: { $gte: 0 } })).count, 100);
  await copy.close();
});

function canMount(): boolean {
  try {
    execFileSync("unshare", ["-rm", "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmpdir()], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

t.test(
  "on a full disk writes say so and are not applied, reads go on, and space heals it",
  {
    skip: !canMount() && "a small file system cannot be mounted here",
  },
  async (t) => {
    const folder = newFolder(t);
    const script = `mount -t tmpfs -o size=8m tmpfs "$0" && exec "$@"`;
    const child = startStoreProcess("full", folder, ["unshare", "-rm", "sh", "-c", script, folder]);
    t.match(await child.line(), {
      ends: ["storage_full not_applied"],
      readWhileFull: true,
      recovered: 50,
      absent: true,
      present: true,
      again: true,
    });
    t.equal(await child.ended(), 0, child.complaint);
  },
);

t.test("more writes than the disk can take are refused at once, and none is lost", async (t) => {
  const folder = newFolder(t);
  const store = await openSqliteStore({ folder, clock });
  t.teardown(() => store.close());
  await store.ensureCollection({ name: "notes", indexes: [] });
  const ends = await Promise.allSettled(
    Array.from({ length: 21_000 }, (_, n) =>
      store.commit([{ kind: "put", collection: "notes", id: idOf(n), expect: 0, version: n + 1, text: `{"n":${n}}` }]),
    ),
  );
  const kept = ends.flatMap(({ status }, n) => (status === "fulfilled" ? [idOf(n)] : []));
  t.ok(kept.length >= 20_000 && kept.length < 21_000);
  for (const end of ends) {
    if (end.status === "rejected") {
      t.match(end.reason, { code: "unavailable", details: { outcome: "not_applied" } });
      break;
    }
  }
  t.equal((await count(store)).count, kept.length);
  t.ok((await textsOf(store, kept)).every((text) => text !== undefined));
  const old = store.position();
  await store.commit([put(store, "after")]);
  t.ok(store.position() > old, "it goes on");
});

t.test("a writer that ends by itself leaves unknown ends, starts anew, and hides no gap", async (t) => {
  const folder = newFolder(t);
  const thread = ownModule("tests/contract/sqlite-crashing-thread");
  const store = await openSqliteStore({ folder, clock, thread });
  t.teardown(() => store.close());
  await store.ensureCollection({ name: "notes", indexes: [] });
  const told: string[] = [];
  const listen = (commit: Commit) => told.push(...commit.changes.map(({ id }) => id));
  const tail = store.tail(undefined, listen, () => told.push("lost"));
  t.teardown(() => tail.close());
  await store.commit([put(store, "first")]);

  const before = store.commit([put(store, "before", { text: "crash before" })]);
  await refused(t, before, "unavailable", { outcome: "unknown" });
  await store.commit([put(store, "second")]);
  t.strictSame(await findIds(store), ["first", "second"]);
  t.strictSame(told, ["first", "second"], "nothing was lost");

  const old = store.position();
  const after = store.commit([put(store, "after", { text: "crash after" })]);
  const waiting = store.commit([put(store, "waiting")]);
  await refused(t, after, "unavailable", { outcome: "unknown" });
  await waiting.catch(() => undefined);
  await store.commit([put(store, "third")]);
  t.ok((await findIds(store)).includes("after"), "it was durable");
  t.strictSame(
    told.slice(2).filter((id) => id !== "waiting"),
    ["lost", "third"],
  );
  t.throws(() => store.tail(old, () => undefined), {
    code: "failed_precondition",
    details: { reason: "history_lost" },
  });
  await refused(t, find(store, { at: old }), "failed_precondition", { reason: "history_lost" });
  t.ok((await find(store, { at: tail.position })).rows.some(({ id }) => id === "third"));
});

t.test("keeps the last 10,000 commits for those who start at an older position", async (t) => {
  const log = createSqliteTail("h", 0, { parsed: 0 });
  const start = log.position;
  const write = (n: number): Write => ({
    kind: "put",
    collection: "notes",
    id: idOf(n),
    expect: 0,
    version: n,
    text: "{}",
  });
  for (let n = 1; n <= 10_001; n++) log.append(n, [write(n)]);
  t.throws(() => log.tail(start, () => undefined), {
    code: "failed_precondition",
    details: { reason: "history_lost" },
  });
  const told: string[] = [];
  log.tail(log.at(1), ({ position }) => told.push(position));
  t.equal(told.length, 10_000);
  t.strictSame([told[0], told.at(-1)], [log.at(2), log.at(10_001)]);
  const large: Write = { ...write(1), kind: "put", expect: 0, version: 1, text: "x".repeat(16 * 1024 * 1024) };
  for (let n = 10_002; n <= 10_010; n++) log.append(n, [large]);
  t.throws(() => log.tail(log.at(10_003), () => undefined), {
    code: "failed_precondition",
    details: { reason: "history_lost" },
  });
  log.tail(log.at(10_008), ({ position }) => told.push(position));
  t.equal(told.at(-1), log.at(10_010), "and 64 MiB of them");
});

t.test("a listener that throws stops neither writers nor other listeners", async (t) => {
  const log = createSqliteTail("h", 0, { parsed: 0 });
  const thrown: unknown[] = [];
  const fault = new Error("a fault of a listener");
  log.tail(undefined, () => {
    throw fault;
  });
  const told: string[] = [];
  log.tail(undefined, ({ position }) => told.push(position));
  const caught = new Promise<void>((resolve) => {
    process.once("uncaughtException", (error) => {
      thrown.push(error);
      resolve();
    });
  });
  log.append(1, []);
  await caught;
  t.strictSame(told, [log.at(1)]);
  t.strictSame(thrown, [fault], "the fault is not hidden");
});

t.test("the log does not grow with what is written", async (t) => {
  const folder = newFolder(t);
  const store = await openSqliteStore({ folder, clock });
  t.teardown(() => store.close());
  await store.ensureCollection({ name: "notes", indexes: [] });
  await fill(store, 6000, (n) => ({ n, text: "x".repeat(10_000) }));
  t.ok(statSync(join(folder, "galley.db-wal")).size < 40_000_000);
});
