/**
 * L4: fastify and one driver call a request, with nothing of Galley between them. A read is a `findOne`, an insert an
 * `insertOne` that a majority has in its journal, a page one indexed `find`.
 */
import { randomUUID } from "node:crypto";
import Fastify from "fastify";
import type { Post } from "../harness/post.ts";
import { openPosts, stored } from "./mongodb-posts.ts";
import { tellAddress } from "./tell-address.ts";

const JSON_TYPE = "application/json; charset=utf-8";
const posts = await openPosts();

const app = Fastify();
app.get("/posts/:id", async (request, reply) => {
  const document = await posts.findOne({ _id: (request.params as { id: string }).id });
  return reply
    .code(document ? 200 : 404)
    .type(JSON_TYPE)
    .send(JSON.stringify(document));
});
app.get("/page", async (request, reply) => {
  const { author } = request.query as { author: string };
  const documents = await posts.find({ author }).sort({ createdAt: -1 }).limit(20).toArray();
  return reply.type(JSON_TYPE).send(JSON.stringify({ documents }));
});
app.post("/posts", async (request, reply) => {
  const document = stored(randomUUID(), request.body as Post);
  await posts.insertOne(document, { writeConcern: { w: "majority", journal: true } });
  return reply.code(201).type(JSON_TYPE).send(JSON.stringify(document));
});
await app.listen({ port: 0, host: "127.0.0.1" });
tellAddress(app.server);
