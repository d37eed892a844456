/** An open loop of requests: each is due at its time, whether the ones before it were answered or not. */
import { setImmediate as pollOnce, setTimeout as wait } from "node:timers/promises";
import { Connection } from "./connection.ts";
import { type Latencies, type Load, spreadOf } from "./load.ts";

export interface PacedLoad extends Pick<Load, "url" | "connections" | "seconds" | "request" | "check"> {
  readonly perSecond: number;
  /**
   * This process sleeps between two ticks of a millisecond, whatever comes meanwhile: to be woken for each answer costs a
   * core that the server may share more than reading it does. Latencies are told a tick less exactly.
   */
  readonly sleeps?: boolean;
}

const TICK_MILLISECONDS = 1;
const asleep = new Int32Array(new SharedArrayBuffer(4));

/** Latencies in milliseconds, from when a request was due: what waits for a free connection counts as slow. */
export interface Paced extends Latencies {
  readonly requests: number;
  readonly wrong: number;
}

export async function runPaced(load: PacedLoad): Promise<Paced> {
  const { url, perSecond, seconds, request, check } = load;
  const connections = Array.from({ length: load.connections }, () => new Connection(url));
  const free = [...connections];
  const total = Math.floor(perSecond * seconds);
  const latencies: number[] = [];
  const began = performance.now();
  let next = 0;
  let wrong = 0;
  let failure: unknown;
  const dueAt = (n: number) => began + (n * 1000) / perSecond;
  const isDue = () => next < total && dueAt(next) <= performance.now();

  /** Sends what is due, one after the other, until nothing is. */
  async function drive(connection: Connection): Promise<void> {
    while (isDue()) {
      const n = next++;
      const { status, body } = await connection.send(request(n));
      latencies.push(performance.now() - dueAt(n));
      if (!check(status, body, n)) wrong++;
    }
    free.push(connection);
  }

  // One timer for all: a timer for each request costs this process as much as the request does.
  while (latencies.length < total && failure === undefined) {
    while (isDue()) {
      const connection = free.shift();
      if (!connection) break;
      drive(connection).catch((error: unknown) => {
        failure = error;
      });
    }
    if (load.sleeps) {
      Atomics.wait(asleep, 0, 0, TICK_MILLISECONDS);
      await pollOnce();
    } else await wait(TICK_MILLISECONDS);
  }
  for (const connection of connections) connection.close();
  if (failure !== undefined) throw failure;
  return { ...spreadOf(latencies), requests: latencies.length, wrong };
}
