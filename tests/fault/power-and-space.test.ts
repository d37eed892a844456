/** fault-cases.md F02, F04, F07, F08: power cuts, full disks, crowds, and kills during an index build. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { openSqliteStore } from "../../server/stores/sqlite/store.ts";
import { Ledger, sendTo } from "../support/ledger.ts";
import { PROCESS_KEY, startGalley } from "../support/server-process.ts";

const WAL_HEADER = 32;
const FRAME_HEADER = 24;

function temporaryFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), "galley-fault-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function text(id: string, version: number): string {
  const at = '{"$date":"2026-01-01T00:00:00.000Z"}';
  return `{"_id":"${id}","_v":${version},"_createdAt":${at},"_updatedAt":${at}}`;
}

t.test(
  "F02 after a power cut the store opens clean, with every acknowledged commit that had been synced",
  async (t) => {
    const folder = temporaryFolder(t);
    const store = await openSqliteStore({ folder, clock: Date.now });
    await store.ensureCollection({ name: "posts", indexes: [{ paths: ["n"] }] });
    const wal = join(folder, "galley.db-wal");
    /** How long the log was when each commit was acknowledged: what a cut there must not lose. */
    const acknowledgedAt: number[] = [];
    for (let n = 0; n < 12; n++) {
      const version = store.nextVersion(0);
      const id = `p${String(n).padStart(3, "0")}`;
      await store.commit([{ kind: "put", collection: "posts", id, expect: 0, version, text: text(id, version) }]);
      acknowledgedAt.push(statSync(wal).size);
    }
    const copy = temporaryFolder(t);
    copyFileSync(join(folder, "galley.db"), join(copy, "galley.db"));
    copyFileSync(wal, join(copy, "galley.db-wal"));
    await store.close();

    const size = statSync(join(copy, "galley.db-wal")).size;
    const frame = FRAME_HEADER + readFileSync(join(copy, "galley.db-wal")).readUInt32BE(8);
    const cuts = new Set<number>([size]);
    for (let at = WAL_HEADER; at < size; at += frame) cuts.add(at).add(at + 1 + ((at * 7919) % (frame - 2)));
    let before = -1;
    for (const cut of [...cuts].sort((a, b) => a - b)) {
      const trial = join(copy, `cut-${cut}`);
      mkdirSync(trial);
      for (const file of ["galley.db", "galley.db-wal"]) copyFileSync(join(copy, file), join(trial, file));
      truncateSync(join(trial, "galley.db-wal"), cut);
      const opened = await openSqliteStore({ folder: trial, clock: Date.now });
      const ids = Array.from({ length: 12 }, (_, n) => `p${String(n).padStart(3, "0")}`);
      const there = (await opened.get("posts", ids)).map((row) => row !== undefined);
      await opened.close();
      rmSync(trial, { recursive: true });
      const kept = there.indexOf(false) === -1 ? 12 : there.indexOf(false);
      const synced = acknowledgedAt.filter((at) => at <= cut).length;
      t.ok(
        there.slice(kept).every((is) => !is),
        `cut at ${cut}: a prefix of the commits`,
      );
      t.ok(kept >= synced, `cut at ${cut}: ${kept} commits kept, ${synced} had been synced`);
      t.ok(kept >= before, "a later cut keeps no less");
      before = kept;
    }
    t.equal(before, 12);
  },
);

t.test("F02 no answer leaves before the log is synced", async (t) => {
  if (!existsSync("/usr/bin/strace")) {
    t.pass("strace is not here to watch the calls", { skip: "needs strace" });
    return;
  }
  const folder = temporaryFolder(t);
  const trace = join(folder, "trace");
  const server = await startGalley(folder);
  t.teardown(() => server.end("SIGKILL"));
  const send = sendTo(() => server.url, PROCESS_KEY);
  await send("POST", "/v1/documents/posts", { n: -1 }, undefined);
  const args = [
    "-f",
    "-y",
    "-s",
    "24",
    "-e",
    "trace=fdatasync,fsync,pwrite64,write,writev,sendto",
    "-o",
    trace,
    "-p",
    String(server.pid),
  ];
  const strace = spawn("strace", args, { stdio: ["ignore", "ignore", "pipe"] });
  await once(strace.stderr, "data"); // it says when it is attached
  for (let n = 0; n < 20; n++) t.equal((await send("POST", "/v1/documents/posts", { n }, undefined))?.status, 201);
  strace.kill("SIGINT");
  await once(strace, "exit");
  let dirty = false;
  let answers = 0;
  for (const line of readFileSync(trace, "utf8").split("\n")) {
    if (/pwrite64\(\d+<[^>]*-wal>/.test(line)) dirty = true;
    // A call that another thread interrupts ends on a line of its own: `<... fdatasync resumed>) = 0`.
    else if (/(?:fdatasync|fsync)\(\d+<[^>]*-wal>\)\s+= 0|<\.\.\. f(?:data)?sync resumed>\)\s+= 0/.test(line))
      dirty = false;
    else if (line.includes("HTTP/1.1 201")) {
      answers++;
      t.notOk(dirty, `answer ${answers} left after the sync`);
    }
  }
  t.equal(answers, 20);
});

t.test("F04 a full disk refuses writes as not applied, reads go on, and writes recover by themselves", async (t) => {
  const folder = temporaryFolder(t);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=12m", "tmpfs", folder], { stdio: "pipe" });
  } catch (error) {
    t.pass("no small disk can be mounted here", { skip: (error as Error).message });
    return;
  }
  t.teardown(() => execFileSync("umount", ["-l", folder]));
  const server = await startGalley(folder);
  t.teardown(() => server.end("SIGKILL"));
  const send = sendTo(() => server.url, PROCESS_KEY);
  const ledger = new Ledger("ledger", send);
  await Promise.all(Array.from({ length: 50 }, (_, n) => ledger.create(`before-${n}`)));
  const filler = join(folder, "filler");
  const space = Buffer.alloc(256 * 1024);
  try {
    for (;;) writeFileSync(filler, space, { flag: "a" });
  } catch {
    // Full, as wanted.
  }
  let refusals = 0;
  for (let n = 0; refusals < 5 && n < 3000; n++) {
    const answer = await send("POST", "/v1/documents/bulk", { text: "x".repeat(20_000) }, undefined);
    if (answer?.status === 201) continue;
    t.match(answer, { status: 507, body: { error: { code: "storage_full", details: { outcome: "not_applied" } } } });
    refusals++;
  }
  t.equal(refusals, 5, "the disk was full");
  await Promise.all(Array.from({ length: 50 }, (_, n) => ledger.create(`full-${n}`)));
  t.equal((await send("GET", "/v1/documents/ledger/before-7", undefined, undefined))?.status, 200, "reads go on");
  rmSync(filler);
  const after = await send("POST", "/v1/documents/bulk", { text: "x".repeat(20_000) }, undefined);
  t.equal(after?.status, 201, "writes recover without a restart");
  await Promise.all(Array.from({ length: 50 }, (_, n) => ledger.create(`after-${n}`)));
  await ledger.settle();
  t.same(await ledger.breaches(), []);
});

t.test("F07 200 writers on one document and on many, beside a long read: no write is lost", async (t) => {
  const folder = temporaryFolder(t);
  const server = await startGalley(folder);
  t.teardown(() => server.end("SIGKILL"));
  const send = sendTo(() => server.url, PROCESS_KEY);
  const ledger = new Ledger("ledger", send);
  await Promise.all(Array.from({ length: 500 }, (_, n) => ledger.create(`doc-${n}`)));
  let reading = true;
  const read = async () => {
    while (reading)
      await send("POST", "/v1/documents/ledger/query", { filter: { nonce: { $contains: "z" } } }, undefined);
  };
  const reader = read();
  await Promise.all(
    Array.from({ length: 200 }, async (_, writer) => {
      for (let n = 0; n < 10; n++) await ledger.add(n % 2 === 0 ? "shared" : `own-${writer}`, 1);
    }),
  );
  reading = false;
  await reader;
  t.same({ ...ledger.ends, unknown: 0 }, { ...ledger.ends }, "every write had an answer");
  t.same(await ledger.breaches(), []);
  const shared = await send("GET", "/v1/documents/ledger/shared", undefined, undefined);
  t.equal((shared?.body as { n: number } | undefined)?.n, 1000);
});

t.test("F08 killed during an index build, the next start finishes it, and queries are right meanwhile", async (t) => {
  const folder = temporaryFolder(t);
  let server = await startGalley(folder);
  t.teardown(() => server.end("SIGKILL"));
  const send = sendTo(() => server.url, PROCESS_KEY);
  const COUNT = 30_000;
  const rows = Array.from({ length: COUNT }, (_, n) =>
    JSON.stringify({ _id: `p${n}`, n: n % 100, text: "y".repeat(200) }),
  );
  const imported = await fetch(`${server.url}/v1/admin/collections/posts/import`, {
    method: "POST",
    headers: { authorization: `Bearer ${PROCESS_KEY}`, "content-type": "application/x-ndjson" },
    body: rows.join("\n"),
  });
  t.equal(imported.status, 200);
  await imported.text();
  const indexes = [{ paths: ["n"] }];
  t.equal((await send("PATCH", "/v1/admin/collections/posts", { indexes }, undefined))?.status, 200);
  await server.end("SIGKILL");
  server = await startGalley(folder);
  for (let state = ""; state !== "ready"; ) {
    const count = await send("POST", "/v1/documents/posts/count", { filter: { n: 7 } }, undefined);
    t.match(count, { status: 200, body: { count: COUNT / 100 } });
    const info = await send("GET", "/v1/admin/collections/posts", undefined, undefined);
    state = (info?.body as { indexes: { state: string }[] } | undefined)?.indexes[0]?.state ?? "gone";
    t.not(state, "failed");
    t.not(state, "gone");
  }
  const page = await send("POST", "/v1/documents/posts/query", { filter: { n: 7 }, limit: 1000 }, undefined);
  t.equal((page?.body as { documents: unknown[] } | undefined)?.documents.length, COUNT / 100);
});
