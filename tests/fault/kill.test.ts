/** fault-cases.md F01, F03, F05, F34: the process is ended, in every way, while writes are under way. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t, { type Test } from "tap";
import { integrityOf, killRounds } from "../support/kill-rounds.ts";
import { Ledger, sendTo } from "../support/ledger.ts";
import { LOADER, ownModule } from "../support/own-modules.ts";
import { chooseSeed } from "../support/seeded.ts";
import { PROCESS_KEY, type ServerProcess, startGalley, startProcess } from "../support/server-process.ts";
import { until } from "../support/until.ts";
import { writeMuch } from "../support/writers.ts";

function temporaryFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), "galley-fault-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

t.test("F01 kill -9 among 1,000 concurrent writes loses nothing acknowledged and half-applies nothing", async (t) => {
  const seed = chooseSeed();
  const folder = temporaryFolder(t);
  const report = await killRounds({ folder, rounds: 2, seed });
  t.comment(`seed ${seed}: ${report.writes} writes, ${report.cutOff} cut off`);
  t.same(report.breaches, []);
  t.ok(report.cutOff > 0, "the kills cut writes off");
  t.equal(integrityOf(folder), "ok");
  t.ok(report.slowestStart < 5000, "it was ready within 5 s each time");
});

t.test("F03 killed after the commit and before the answer, a repeat with the same key has one effect", async (t) => {
  const folder = temporaryFolder(t);
  const args = [...LOADER, fileURLToPath(ownModule("tests/support/dying-galley"))];
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
