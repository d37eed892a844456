/** L1: node:http answering a constant. */
import { createServer } from "node:http";
import { tellAddress } from "./tell-address.ts";

const TEXT = JSON.stringify({ constant: "x".repeat(700) });
const server = createServer((_request, reply) => {
  reply.setHeader("content-type", "application/json; charset=utf-8");
  reply.end(TEXT);
});
server.listen(0, "127.0.0.1", () => tellAddress(server));
