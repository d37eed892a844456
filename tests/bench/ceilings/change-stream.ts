/**
 * The least that stands between a write and whoever watches: `insertOne` that a majority has in its journal, a bare change
 * stream of the driver, and each of its events sent to every socket as JSON. Nothing is asked, sorted or allowed.
 */
import { createServer } from "node:http";
import type { Duplex } from "node:stream";
import { MongoClient } from "mongodb";
import { WebSocketServer } from "ws";
import { textFrame } from "../../../server/realtime/text-frame.ts";
import { tellAddress } from "./tell-address.ts";

const client = await new MongoClient(process.env.BENCH_MONGODB_URL as string).connect();
const written = client.db().collection("ceiling_stream");
await written.createIndex({ seq: 1 });
const sockets = new Set<Duplex>();
const live = new WebSocketServer({ noServer: true, clientTracking: false, perMessageDeflate: false });
const stream = written.watch();
stream.on("change", (event) => {
  if (event.operationType !== "insert") return;
  const frame = textFrame(JSON.stringify(event.fullDocument));
  for (const socket of sockets) socket.write(frame);
});

const server = createServer((request, reply) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", async () => {
    const document = JSON.parse(Buffer.concat(chunks).toString());
    await written.insertOne(document, { writeConcern: { w: "majority", journal: true } });
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
