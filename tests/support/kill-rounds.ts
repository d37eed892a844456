/** fault-cases.md F01: rounds of writes of every kind, each cut by kill -9 at a random moment and compared afterwards. */
import { join } from "node:path";
import Database from "better-sqlite3";
import { Ledger, sendTo } from "./ledger.ts";
import { PROCESS_KEY, startGalley } from "./server-process.ts";

export interface KillReport {
  /** What does not agree with the store, in words, with its round. */
  readonly breaches: readonly string[];
  /** Writes whose end the kills left unknown, before they were resolved. */
  readonly cutOff: number;
  readonly writes: number;
  /** The slowest start after a kill, in milliseconds. */
  readonly slowestStart: number;
  /** What SQLite says of the file at the end: `ok`. */
  readonly integrity: unknown;
}

/** Runs the rounds on one folder, so that each starts from what the kills before it left. */
export async function killRounds(folder: string, rounds: number, seed: number): Promise<KillReport> {
  const random = seeded(seed);
  let server = await startGalley(folder);
  const ledger = new Ledger(
    "ledger",
    sendTo(() => server.url, PROCESS_KEY),
  );
  const breaches: string[] = [];
  let cutOff = 0;
  let slowestStart = 0;
  for (let round = 0; round < rounds; round++) {
    const before = ledger.ends.applied;
    const target = Math.floor(random() * WRITES * 0.7);
    const writes = writeMuch(ledger, `r${round}`, WRITES);
    await until(() => ledger.ends.applied - before >= target);
    await server.end("SIGKILL");
    await writes;
    const started = performance.now();
    server = await startGalley(folder);
    slowestStart = Math.max(slowestStart, performance.now() - started);
    cutOff += ledger.ends.unknown;
    await ledger.settle();
    for (const breach of await ledger.breaches()) breaches.push(`round ${round}: ${breach}`);
  }
  await server.end("SIGTERM");
  const database = new Database(join(folder, "galley.db"), { readonly: true });
  const integrity = database.pragma("integrity_check", { simple: true });
  database.close();
  return { breaches, cutOff, writes: rounds * WRITES, slowestStart, integrity };
}

const WRITES = 1000;

/** A seeded sequence in [0, 1), so that a schedule can be run again. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Starts writes of every kind, all at once; resolves when each has its end. */
export function writeMuch(ledger: Ledger, round: string, count: number): Promise<unknown> {
  const writes: Promise<void>[] = [];
  for (let n = 0; n < count; n++) {
    const id = `${round}-${n}`;
    const kind = n % 10;
    if (kind < 5) writes.push(ledger.create(id));
    else if (kind < 7) writes.push(ledger.createTogether([`${id}-a`, `${id}-b`, `${id}-c`]));
    else writes.push(ledger.add(`${round}-counter-${n % 4}`, 1));
  }
  return Promise.all(writes);
}

/** Waits for a condition, a turn of the event loop at a time. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
