/** An account operation is whole or not at all, whenever the process is killed (fault-cases.md F01 and F03, of accounts). */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t, { type Test } from "tap";
import { openMongoStore } from "../../server/stores/mongodb/store.ts";
import { openSqliteStore } from "../../server/stores/sqlite/store.ts";
import { accountKillRounds } from "../support/account-kills.ts";
import { AccountLedger } from "../support/account-ledger.ts";
import { dumpAccounts } from "../support/account-shape.ts";
import { type Engine, onEachEngine, SQLITE } from "../support/engines.ts";
import { LOADER, ownModule } from "../support/own-modules.ts";
import { chooseSeed } from "../support/seeded.ts";
import { PROCESS_KEY, startProcess } from "../support/server-process.ts";
import { until } from "../support/until.ts";

/** More of them by hand: `GALLEY_TEST_ROUNDS=200`. */
const ROUNDS = Number(process.env.GALLEY_TEST_ROUNDS ?? 1);

onEachEngine(t, (t, engine) => {
  t.test(
    "F01 kill -9 among operations of every kind: each is whole or not at all, and what was answered is kept",
    async (t) => {
      const folder = temporaryFolder(t);
      const seed = chooseSeed();
      const { answered, cutOff, operations, breaches } = await accountKillRounds({
        ...{ folder, env: engine.env(folder), rounds: ROUNDS, seed },
        shared: engine.name === "mongodb",
        openStore: () => openStore(engine, folder),
      });
      t.comment(`seed ${seed}: ${answered} answered, cut off: ${cutOff.whole} whole, ${cutOff.nothing} nothing`);
      t.comment(JSON.stringify(operations));
      t.same(breaches, []);
      t.ok(cutOff.whole + cutOff.nothing > ROUNDS, "the kills cut operations off");
    },
  );
});

/** What leads to an operation, and it. */
const SCRIPTS = [
  ["sign up"],
  ["go on as a guest", "upgrade"],
  ["sign up", "refresh"],
  ["sign up", "change the password"],
  ["sign up", "forget the password", "reset the password"],
  ["sign up", "remove the account"],
] as const;

t.test(
  "F03 killed at each of its commits, before any is answered, an operation has happened at its own alone",
  async (t) => {
    const folder = temporaryFolder(t);
    const orders = join(folder, "die");
    const args = [...LOADER, fileURLToPath(ownModule("tests/support/dying-galley"))];
    const start = () => startProcess(args, { DYING_FOLDER: folder, DIE_AT: "before-reply", DIE_ORDERS: orders });
    let server = await start();
    t.teardown(() => server.end("SIGKILL"));
    const ledger = new AccountLedger(() => server.url, folder);
    await ledger.prepare();
    /** No mail is on its way, whose sending would be noted by a commit. */
    const atRest = async () => {
      const headers = { authorization: `Bearer ${PROCESS_KEY}` };
      const reply = await fetch(`${server.url}/v1/admin/settings/mail?limit=200`, { headers });
      const { mails } = (await reply.json()) as { mails: { state: string }[] };
      return mails.every(({ state }) => state !== "queued");
    };
    const deaths: string[] = [];
    /** Kills at one commit after the other; false if it was answered before the kill met the operation's own. */
    async function killAt(script: readonly string[]): Promise<boolean> {
      const person = ledger.join();
      const name = script.at(-1) as string;
      for (const step of script) {
        await until(() => ledger.fitting(person).some(([one]) => one === step), 20, `${step} to make sense`);
        await until(atRest, 20, "mails to be sent");
        if (step !== name) await ledger.act(person, step);
      }
      const { whole } = ledger.cutOff;
      for (let passes = 0; ledger.cutOff.whole === whole && ledger.breaches.length === 0; passes++) {
        writeFileSync(orders, `${passes}`);
        const answered = await ledger.act(person, name);
        await server.end("SIGKILL");
        rmSync(orders);
        const store = await openStore(SQLITE, folder);
        ledger.settle(await dumpAccounts(store));
        await store.close();
        server = await start();
        await ledger.prove(person);
        await until(atRest, 20, "mails to be sent");
        deaths.push(`${name} ${passes}`);
        if (answered) return false;
      }
      return true;
    }
    for (const script of SCRIPTS) {
      // A commit of the server's own, as of what was noted for the audit log, may stand where the operation's was expected.
      for (let tried = 1; !(await killAt(script)) && tried < 3; tried++);
    }
    t.comment(deaths.join(", "));
    t.same(ledger.breaches, []);
    t.equal(ledger.cutOff.whole, SCRIPTS.length);
  },
);

async function openStore(engine: Engine, folder: string) {
  const url = engine.env(folder).GALLEY_MONGODB_URL;
  if (url === undefined) return openSqliteStore({ folder, clock: Date.now });
  const random = (bytes: number) => randomBytes(bytes);
  const store = await openMongoStore({ url, clock: Date.now, random, warn: () => {} });
  await store.opened;
  return store;
}

function temporaryFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), "galley-kill-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
