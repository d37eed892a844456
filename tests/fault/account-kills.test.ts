/** An account operation is whole or not at all, whenever the process is killed (fault-cases.md F01 and F03 of accounts). */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { openMongoStore } from "../../server/stores/mongodb/store.ts";
import { openSqliteStore } from "../../server/stores/sqlite/store.ts";
import { accountKillRounds } from "../support/account-kills.ts";
import { type Engine, onEachEngine } from "../support/engines.ts";
import { chooseSeed } from "../support/seeded.ts";

/** More of them by hand: `GALLEY_TEST_ROUNDS=200`. */
const ROUNDS = Number(process.env.GALLEY_TEST_ROUNDS ?? 3);

onEachEngine(t, (t, engine) => {
  t.test(
    "kill -9 among operations of every kind: each is whole or not at all, and what was answered is kept",
    async (t) => {
      const folder = temporaryFolder(t);
      const env = engine.env(folder);
      const seed = chooseSeed();
      const report = await accountKillRounds({
        ...{ folder, env, rounds: ROUNDS, seed },
        shared: engine.name === "mongodb",
        openStore: () => openStore(engine, folder),
      });
      const { answered, cutOff, operations } = report;
      t.comment(`seed ${seed}: ${answered} answered, cut off: ${cutOff.whole} whole, ${cutOff.nothing} nothing`);
      t.comment(JSON.stringify(operations));
      t.same(report.breaches, []);
      t.ok(cutOff.whole + cutOff.nothing > ROUNDS, "the kills cut operations off");
    },
  );
});

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
