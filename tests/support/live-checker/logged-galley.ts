/**
 * Galley as its environment says, for clients that ask more than people do. Where there is a CHECKER_LOG, it writes every
 * commit into that file before anybody is told of it: what a killed embedded store has committed, nobody else could tell.
 */
import { openSync, writeSync } from "node:fs";
import { createApp } from "../../../server/app.ts";
import { readConfig } from "../../../server/config.ts";
import { isWatched } from "./commit-log.ts";
import type { LoggedLine } from "./file-log.ts";
import { CHECKED_LIMITS, CHECKED_LOAD } from "./limits.ts";

const BY_ID = [{ path: ["_id"], descending: false }];
const BUDGET = { candidates: Number.POSITIVE_INFINITY, milliseconds: 60_000 };
const WATCHED = ["_users", "_rules", "notes", "drafts", "mixed", "members", "bulk"];

const config = readConfig({ mode: "production", env: { ...process.env, GALLEY_LOG_LEVEL: "error" } });
const app = await createApp(config, { live: CHECKED_LIMITS, load: CHECKED_LOAD });
const { CHECKER_LOG } = process.env;
if (CHECKER_LOG !== undefined) await logInto(openSync(CHECKER_LOG, "a"));
console.log(`${(await app.listen()).url} `);

process.once("SIGTERM", async () => {
  await app.close();
  process.exit(0);
});

/** Nobody is there yet: what is read is what the position says. */
async function logInto(file: number): Promise<void> {
  const write = (line: LoggedLine) => writeSync(file, `${JSON.stringify(line)}\n`);
  const changes: LoggedLine["changes"] = [];
  for (const collection of WATCHED) {
    const { rows } = await app.store.find({
      ...{ collection, filter: { kind: "true" }, budget: BUDGET, sort: BY_ID, limit: 10_000 },
    });
    for (const { id, version, text } of rows) changes.push({ collection, id, version, text });
  }
  const tail = app.store.tail(undefined, ({ position, changes, dropped }) => {
    const watched = changes.filter(({ collection }) => isWatched(collection));
    write({
      position,
      changes: watched.map(({ collection, id, next }) => ({
        ...{ collection, id },
        ...{ version: next?.version, text: next?.text },
      })),
      ...(dropped && { dropped }),
    });
  });
  write({ position: tail.position, changes, anew: true });
}
