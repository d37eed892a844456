/** A closed loop of requests: each connection sends its next one when the last is answered. */
import { Connection } from "./connection.ts";

export interface Load {
  readonly url: string;
  readonly connections: number;
  /** Stops after this long, or after this many requests, whichever is first. */
  readonly seconds: number;
  readonly requests?: number;
  request(n: number): LoadRequest;
  /** Judges every answer: a benchmark that answers wrongly has no speed. */
  check(status: number, body: string, n: number): boolean;
}

export interface LoadRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body?: string;
}

export interface Measured {
  readonly requests: number;
  readonly wrong: number;
  readonly seconds: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

export async function runLoad(load: Load): Promise<Measured> {
  const connections = Array.from({ length: load.connections }, () => new Connection(load.url));
  const latencies: number[] = [];
  let sent = 0;
  let wrong = 0;
  const started = performance.now();
  const end = started + load.seconds * 1000;
  const most = load.requests ?? Number.POSITIVE_INFINITY;
  await Promise.all(
    connections.map(async (connection) => {
      while (sent < most && performance.now() < end) {
        const n = sent++;
        const at = performance.now();
        const { status, body } = await connection.send(load.request(n));
        latencies.push(performance.now() - at);
        if (!load.check(status, body, n)) wrong++;
      }
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  for (const connection of connections) connection.close();
  latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
  return { requests: latencies.length, wrong, seconds, p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}
