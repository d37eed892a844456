/** The engines that documents can be kept on, for tests whose verdicts must be the same on each of them. */
import { createHash } from "node:crypto";
import type { Test } from "tap";
import { dropDatabase, type Mongod, useMongod, withDatabase } from "./mongod.ts";
import type { Teardown } from "./teardown.ts";

export interface Engine {
  readonly name: "sqlite" | "mongodb";
  /** The variables that make Galley keep its documents there: empty at first, the same ones for the same folder. */
  env(dataFolder: string): Readonly<Record<string, string>>;
}

export const SQLITE: Engine = { name: "sqlite", env: () => ({}) };

/** Runs the tests of a file on every engine, one after the other. Call it once a file, with the root test. */
export function onEachEngine(t: Test, run: (t: Test, engine: Engine) => Promise<void> | void): void {
  t.test("on sqlite", async (t) => run(t, SQLITE));
  t.test("on mongodb", async (t) => {
    const mongod = await useMongod(t);
    if (mongod) await run(t, mongodb(t, mongod));
  });
}

/** A MongoDB as an engine: a database of its own for each data folder. */
export function mongodb(t: Teardown, mongod: Mongod): Engine {
  const urls = new Set<string>();
  t.teardown(async () => {
    // Our own server goes as a whole.
    if (mongod.process === undefined) for (const url of urls) await dropDatabase(url);
  });
  return {
    name: "mongodb",
    env(dataFolder) {
      const folder = createHash("sha256").update(dataFolder).digest("hex").slice(0, 16);
      const url = withDatabase(mongod.url, `galley_test_${folder}`);
      urls.add(url);
      return { GALLEY_MONGODB_URL: url };
    },
  };
}
