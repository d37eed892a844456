/** L2: fastify answering a stored string. */
import Fastify from "fastify";
import { tellAddress } from "./tell-address.ts";

const TEXT = JSON.stringify({ constant: "x".repeat(700) });
const app = Fastify();
app.get("/*", async (_request, reply) => reply.type("application/json; charset=utf-8").send(TEXT));
await app.listen({ port: 0, host: "127.0.0.1" });
tellAddress(app.server);
