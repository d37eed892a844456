/**
 * Galley as its environment says, for races. Hashes cost nothing: they would keep those who race apart, one core busy, and
 * what is raced for is judged after them. On SIGUSR2 it forgets that it has a first owner, and prints a new link to become
 * that: so one server goes through as many first owners as a benchmark wants.
 */
import { createApp } from "../../../server/app.ts";
import { readConfig } from "../../../server/config.ts";

const MARK = { collection: "_settings", id: "set-up" };

const config = readConfig({ mode: "production", env: { ...process.env, GALLEY_LOG_LEVEL: "error" } });
const app = await createApp(config, { hashCosts: { m: 8, t: 1, p: 1 } });
console.log(`${(await app.listen()).url} `);

process.on("SIGUSR2", async () => {
  const [mark] = await app.store.get(MARK.collection, [MARK.id]);
  if (mark) await app.store.commit([{ kind: "delete", ...MARK, expect: mark.version }]);
  console.log(`set-up link ${await app.setUpLink()} `);
});
process.once("SIGTERM", async () => {
  await app.close();
  process.exit(0);
});
