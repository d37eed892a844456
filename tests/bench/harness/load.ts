/** A closed loop of requests: each connection sends its next one when the last is answered. */
import { Connection } from "./connection.ts";

export interface Load {
  readonly url: string;
  readonly connections: number;
  /** Stops after this long, or after this many requests, whichever is first. */
  readonly seconds: number;
  readonly requests?: number;
  /** Stops before that if this says so. */
  enough?(): boolean;
  request(n: number): LoadRequest;
  /** What sort of request it is, if the load has several: each is told on its own too. */
  kind?(n: number): string;
  /** Judges every answer: a benchmark that answers wrongly has no speed. */
  check(status: number, body: string, n: number): boolean;
}

export interface LoadRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body?: string;
}

export interface Latencies {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly slowest: number;
}

/** Latencies in milliseconds, from the moment that a request is due: when its connection's last answer has come. */
export interface Measured extends Latencies {
  readonly requests: number;
  readonly wrong: number;
  /** The first answer that was wrong, for a person to see why. */
  readonly firstWrong?: string;
  readonly seconds: number;
  readonly kinds: ReadonlyMap<string, Latencies>;
}

export async function runLoad(load: Load): Promise<Measured> {
  const connections = Array.from({ length: load.connections }, () => new Connection(load.url));
  const latencies: number[] = [];
  const kinds = new Map<string, number[]>();
  let sent = 0;
  let wrong = 0;
  let firstWrong: string | undefined;
  const started = performance.now();
  const end = started + load.seconds * 1000;
  const most = load.requests ?? Number.POSITIVE_INFINITY;
  const goesOn = () => sent < most && performance.now() < end && !load.enough?.();
  const take = (n: number, latency: number) => {
    latencies.push(latency);
    const kind = load.kind?.(n);
    if (kind === undefined) return;
    const list = kinds.get(kind);
    if (list) list.push(latency);
    else kinds.set(kind, [latency]);
  };
  await Promise.all(
    connections.map(async (connection) => {
      while (goesOn()) {
        const n = sent++;
        const at = performance.now();
        const { status, body } = await connection.send(load.request(n));
        take(n, performance.now() - at);
        if (load.check(status, body, n)) continue;
        wrong++;
        firstWrong ??= `request ${n}: ${status} ${body.slice(0, 300)}`;
      }
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  for (const connection of connections) connection.close();
  return {
    ...spreadOf(latencies),
    requests: latencies.length,
    wrong,
    ...(firstWrong === undefined ? {} : { firstWrong }),
    seconds,
    kinds: new Map([...kinds].map(([kind, list]) => [kind, spreadOf(list)])),
  };
}

export function spreadOf(latencies: number[]): Latencies {
  latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), slowest: latencies.at(-1) ?? 0 };
}
