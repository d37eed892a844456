/** Looks at a server again and again while it works, to see what grows (promises.md T14). */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { residentBytes, type Served } from "./process.ts";

export interface Sample {
  /** MiB. */
  readonly memory: number;
  /** Open files and sockets. */
  readonly handles: number;
  /** MiB of SQLite's log; 0 where there is none. */
  readonly wal: number;
  /** Milliseconds that the route which does nothing took: how long the event loop let it wait. */
  readonly delay: number;
}

export interface Watch {
  /** Ends the watch. @returns every sample, in order */
  stop(): Promise<Sample[]>;
}

const MEBIBYTE = 2 ** 20;

export function watch(server: Served, folder: string, everyMs: number): Watch {
  const samples: Sample[] = [];
  let watching = true;
  const look = async () => {
    while (watching) {
      const asked = performance.now();
      await (await fetch(`${server.url}/v1/health`)).arrayBuffer();
      const delay = performance.now() - asked;
      const memory = residentBytes(server.pid) / MEBIBYTE;
      const handles = readdirSync(`/proc/${server.pid}/fd`).length;
      samples.push({ memory, handles, wal: sizeOf(join(folder, "galley.db-wal")) / MEBIBYTE, delay });
      await wait(everyMs);
    }
  };
  const looking = look();
  return {
    async stop() {
      watching = false;
      await looking;
      return samples;
    },
  };
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

/** A figure in the second fifth, when all is warm, and in the last: the value that this share of the samples is below. */
export function compareEnds(samples: readonly Sample[], figure: keyof Sample, share: number) {
  const fifth = Math.max(1, Math.floor(samples.length / 5));
  const of = (part: readonly Sample[]) => {
    const sorted = part.map((sample) => sample[figure]).sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  };
  return { early: of(samples.slice(fifth, 2 * fifth)), late: of(samples.slice(-fifth)) };
}
