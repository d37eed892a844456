/**
 * L6: bare `ws` with nothing of Galley. What is posted is framed once, and the frame written to every socket that is open;
 * the first thing a socket says is answered, so that a client knows that it is among them.
 */
import { createServer } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { textFrame } from "../../../server/realtime/text-frame.ts";
import { tellAddress } from "./tell-address.ts";

const sockets = new Set<Duplex>();
const live = new WebSocketServer({ noServer: true, clientTracking: false, perMessageDeflate: false });

const server = createServer((request, reply) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const frame = textFrame(Buffer.concat(chunks).toString());
    for (const socket of sockets) socket.write(frame);
    reply.end("{}");
  });
});
server.on("upgrade", (request, socket, head) => {
  live.handleUpgrade(request, socket, head, (ws) => {
    sockets.add(socket);
    ws.once("message", () => ws.send('{"t":"welcome"}'));
    ws.on("error", () => {});
    ws.on("close", () => sockets.delete(socket));
  });
});
server.listen(0, "127.0.0.1", () => tellAddress(server));
