/** An open loop of requests: each is due at its time, whether the ones before it were answered or not. */
import { setTimeout as wait } from "node:timers/promises";
import { Connection } from "./connection.ts";
import { type Latencies, type Load, spreadOf } from "./load.ts";

export interface PacedLoad extends Pick<Load, "url" | "connections" | "seconds" | "request" | "check"> {
  readonly perSecond: number;
}

/** Latencies in milliseconds, from when a request was due: what waits for a free connection counts as slow. */
export interface Paced extends Latencies {
  readonly requests: number;
  readonly wrong: number;
}

export async function runPaced(load: PacedLoad): Promise<Paced> {
  const { url, perSecond, seconds, request, check } = load;
  const connections = Array.from({ length: load.connections }, () => new Connection(url));
  const total = Math.floor(perSecond * seconds);
  const latencies: number[] = [];
  const began = performance.now();
  let next = 0;
  let wrong = 0;
  await Promise.all(
    connections.map(async (connection) => {
      while (next < total) {
        const n = next++;
        const due = began + (n * 1000) / perSecond;
        const early = due - performance.now();
        if (early > 0) await wait(early);
        const { status, body } = await connection.send(request(n));
        latencies.push(performance.now() - due);
        if (!check(status, body, n)) wrong++;
      }
    }),
  );
  for (const connection of connections) connection.close();
  return { ...spreadOf(latencies), requests: latencies.length, wrong };
}
