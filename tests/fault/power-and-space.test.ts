/**
 * fault-cases.md F02, F04, F07 through the whole server: syncs before answers, a full disk, a crowd. Cut logs (F02) and
 * kills in index builds (F08) are proven at the store, in tests/contract/sqlite-faults.test.ts.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { Ledger, sendTo } from "../support/ledger.ts";
import { PROCESS_KEY, startGalley } from "../support/server-process.ts";

function temporaryFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), "galley-fault-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

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
