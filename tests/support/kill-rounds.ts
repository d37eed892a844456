/** fault-cases.md F01: rounds of writes of every kind, each cut by kill -9 at a random moment and compared afterwards. */
import { join } from "node:path";
import Database from "better-sqlite3";
import { Ledger, sendTo } from "./ledger.ts";
import { seeded } from "./seeded.ts";
import { PROCESS_KEY, startGalley } from "./server-process.ts";
import { until } from "./until.ts";
import { writeMuch } from "./writers.ts";

export interface KillReport {
  /** What does not agree with the store, in words, with its round. */
  readonly breaches: readonly string[];
  /** Writes whose end the kills left unknown, before they were resolved. */
  readonly cutOff: number;
  readonly writes: number;
  /** The slowest start after a kill, in milliseconds. */
  readonly slowestStart: number;
}

export interface Kills {
  readonly folder: string;
  /** The variables of the engine; the embedded one if left out. */
  readonly env?: Readonly<Record<string, string>>;
  readonly rounds: number;
  readonly seed: number;
  /** Writes in a round; 1,000 by default. */
  readonly writes?: number;
}

const WRITES = 1000;

/** Runs the rounds on one folder or database, so that each starts from what the kills before it left. */
export async function killRounds({ folder, env, rounds, seed, writes = WRITES }: Kills): Promise<KillReport> {
  const random = seeded(seed);
  let server = await startGalley(folder, env);
  const ledger = new Ledger(
    "ledger",
    sendTo(() => server.url, PROCESS_KEY),
  );
  const breaches: string[] = [];
  let cutOff = 0;
  let slowestStart = 0;
  for (let round = 0; round < rounds; round++) {
    const before = ledger.ends.applied;
    const target = Math.floor(random() * writes * 0.7);
    const answers = writeMuch(ledger, `r${round}`, writes);
    await until(() => ledger.ends.applied - before >= target);
    await server.end("SIGKILL");
    await answers;
    const started = performance.now();
    server = await startGalley(folder, env);
    slowestStart = Math.max(slowestStart, performance.now() - started);
    cutOff += ledger.ends.unknown;
    await ledger.settle();
    for (const breach of await ledger.breaches()) breaches.push(`round ${round}: ${breach}`);
  }
  await server.end("SIGTERM");
  return { breaches, cutOff, writes: rounds * writes, slowestStart };
}

/** What SQLite says of the file of a data folder: `ok`. */
export function integrityOf(folder: string): unknown {
  const database = new Database(join(folder, "galley.db"), { readonly: true });
  const integrity = database.pragma("integrity_check", { simple: true });
  database.close();
  return integrity;
}
