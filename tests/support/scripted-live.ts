import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import type { ClientFrame } from "#protocol/frames";
import type { Teardown } from "./teardown.ts";
import { until } from "./until.ts";

/** One connection of a client, as a scripted server sees it. */
export interface Connected {
  /** Frames that came, in order. */
  readonly frames: ClientFrame[];
  /** When it was opened, by `performance.now()`. */
  readonly at: number;
  readonly request: IncomingMessage;
  send(frame: object): void;
  close(code: number, reason?: string): void;
  /** Cuts it off, as a network does. */
  cut(): void;
}

export interface ScriptedLive {
  readonly url: string;
  readonly connections: readonly Connected[];
  /** Waits for the nth connection, and for so many frames on it. */
  frames(connection: number, count: number): Promise<Connected>;
}

/** A server that says what it is told to: what Galley itself would never say, and when. */
export async function startScriptedLive(
  t: Teardown,
  script: (frame: ClientFrame, connection: Connected, n: number) => void,
): Promise<ScriptedLive> {
  const connections: Connected[] = [];
  const http = createServer((_request, response) => response.writeHead(404).end());
  const server = new WebSocketServer({ server: http, path: "/v1/live" });
  const open = new Set<WebSocket>();
  server.on("connection", (ws, request) => {
    open.add(ws);
    const n = connections.length;
    const connected: Connected = {
      frames: [],
      at: performance.now(),
      request,
      send: (frame) => ws.send(JSON.stringify(frame)),
      close: (code, reason) => ws.close(code, reason),
      cut: () => ws.terminate(),
    };
    connections.push(connected);
    ws.on("message", (data) => {
      const frame = JSON.parse(String(data)) as ClientFrame;
      connected.frames.push(frame);
      script(frame, connected, n);
    });
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  t.teardown(async () => {
    for (const ws of open) ws.terminate();
    server.close();
    http.closeAllConnections();
    await new Promise((resolve) => http.close(resolve));
  });
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    connections,
    async frames(connection, count) {
      await until(() => (connections[connection]?.frames.length ?? 0) >= count, 20, `frame ${count}`);
      return connections[connection] as Connected;
    },
  };
}
