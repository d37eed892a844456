import type { IncomingMessage } from "node:http";
import { WebSocket } from "ws";
import { LiveOutlet } from "./live-outlet.ts";
import { until } from "./until.ts";

/** A client on a real socket, whose frames are kept and folded. */
export interface LiveClient extends LiveOutlet {
  /** What the handshake was answered: 101, or why not. */
  readonly status: number;
  readonly retryAfter: string | undefined;
}

/** Opens a socket; what it is told is folded as by a {@link LiveOutlet}. End it by `session.end()`. */
export async function openLive(url: string, headers: Readonly<Record<string, string>> = {}): Promise<LiveClient> {
  const ws = new WebSocket(`${url.replace(/^http/, "ws")}/v1/live`, "galley.v1", { headers });
  const outlet = LiveOutlet.open(() => ({
    receive: (text) => ws.send(text),
    end: () => ws.terminate(),
    drain() {},
  }));
  const answered = { status: 0, retryAfter: undefined as string | undefined };
  ws.on("upgrade", () => {
    answered.status = 101;
  });
  ws.on("unexpected-response", (_request, response: IncomingMessage) => {
    answered.status = response.statusCode ?? 0;
    answered.retryAfter = response.headers["retry-after"];
    response.destroy();
  });
  ws.on("error", () => {});
  ws.on("message", (data) => outlet.send([String(data)]));
  ws.on("close", (code, reason) => {
    outlet.closed = { code, reason: String(reason) };
  });
  const isAnswered = () => ws.readyState !== WebSocket.CONNECTING || (answered.status !== 0 && answered.status !== 101);
  await until(isAnswered, 20, "an answer to the handshake");
  return Object.assign(outlet, answered);
}

/** Opens a socket and says who it is. */
export async function enterLive(url: string, token?: string, more: object = {}): Promise<LiveClient> {
  const client = await openLive(url);
  client.hello(token, more);
  await client.welcomed();
  return client;
}

/** Waits for the close, and gives its code. */
export async function closeOf(client: LiveOutlet, seconds = 20): Promise<number> {
  await until(
    () => client.closed !== undefined,
    seconds,
    () => `the close, after ${client.told()}`,
  );
  return client.closed?.code ?? 0;
}
