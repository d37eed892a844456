/** The load under which faults happen: clients that write into a ledger, of every kind. */
import { setTimeout as wait } from "node:timers/promises";
import type { Ledger } from "./ledger.ts";
import { seeded } from "./seeded.ts";

/** Starts writes of every kind, all at once; resolves when each has its end. */
export function writeMuch(ledger: Ledger, round: string, count: number): Promise<unknown> {
  const writes: Promise<unknown>[] = [];
  for (let n = 0; n < count; n++) {
    const id = `${round}-${n}`;
    const kind = n % 10;
    if (kind < 5) writes.push(ledger.create(id));
    else if (kind < 7) writes.push(ledger.createTogether([`${id}-a`, `${id}-b`, `${id}-c`]));
    else writes.push(ledger.add(`${round}-counter-${n % 4}`, 1));
  }
  return Promise.all(writes);
}

export interface Writers {
  /** Resolves when the write that each of them is at has its end. */
  stop(): Promise<void>;
}

/** How long a client waits after a write that was not confirmed, as a polite one does. */
const BACK_OFF_MS = 150;

/** Clients that write one thing after the other until they are stopped, and read what they and others wrote. */
export function startWriters(ledger: Ledger, name: string, count: number, seed: number): Writers {
  let writing = true;
  const lives = Array.from({ length: count }, (_, i) => live(ledger, `${name}-${i}`, seed + i, () => writing));
  return {
    async stop() {
      writing = false;
      await Promise.all(lives);
    },
  };
}

async function live(ledger: Ledger, name: string, seed: number, goesOn: () => boolean): Promise<void> {
  const random = seeded(seed);
  for (let n = 0; goesOn(); n++) {
    const id = `${name}-${n}`;
    const kind = random();
    let end: string;
    if (kind < 0.4) {
      end = await ledger.create(id);
      await ledger.look(id);
    } else if (kind < 0.6) {
      end = await ledger.createTogether([`${id}-a`, `${id}-b`, `${id}-c`]);
      await ledger.look(`${id}-b`);
    } else if (kind < 0.9) {
      end = await ledger.add(kind < 0.7 ? "shared" : `${name}-counter`, 1 + (n % 3));
    } else {
      end = await ledger.create(`${id}-brief`);
      if (end === "applied") end = await ledger.delete(`${id}-brief`);
    }
    if (end !== "applied") await wait(BACK_OFF_MS);
  }
}
