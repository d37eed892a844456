/**
 * L4c: as L4, but the reads that arrive in one turn of the event loop share one `find` with `$in`, and its inserts one
 * unordered `insertMany`: what a competent person would write by hand, with nothing of Galley.
 */
import { randomUUID } from "node:crypto";
import Fastify from "fastify";
import { MongoBulkWriteError } from "mongodb";
import type { Post } from "../harness/post.ts";
import { openPosts, type StoredPost, stored } from "./mongodb-posts.ts";
import { tellAddress } from "./tell-address.ts";

const JSON_TYPE = "application/json; charset=utf-8";
const posts = await openPosts();

/** Gathers what is asked for in one turn and answers it together. */
function merged<Question, Answer>(answerAll: (questions: Question[]) => Promise<Answer[]>) {
  let waiting: { question: Question; resolve: (answer: Answer) => void; reject: (error: unknown) => void }[] = [];
  async function send(): Promise<void> {
    const asked = waiting;
    waiting = [];
    try {
      const answers = await answerAll(asked.map(({ question }) => question));
      for (const [i, { resolve }] of asked.entries()) resolve(answers[i] as Answer);
    } catch (error) {
      for (const { reject } of asked) reject(error);
    }
  }
  return (question: Question): Promise<Answer> =>
    new Promise((resolve, reject) => {
      if (waiting.length === 0) setImmediate(send);
      waiting.push({ question, resolve, reject });
    });
}

const read = merged(async (ids: string[]) => {
  const found = new Map<string, StoredPost>();
  for (const document of await posts.find({ _id: { $in: ids } }).toArray()) found.set(document._id, document);
  return ids.map((id) => found.get(id));
});

/** Answers each with whether it was stored. */
const insert = merged(async (documents: StoredPost[]) => {
  const stored = documents.map(() => true);
  try {
    await posts.insertMany(documents, { ordered: false, writeConcern: { w: "majority", journal: true } });
  } catch (error) {
    if (!(error instanceof MongoBulkWriteError)) throw error;
    for (const { index } of [error.writeErrors].flat()) stored[index] = false;
  }
  return stored;
});

const app = Fastify();
app.get("/posts/:id", async (request, reply) => {
  const document = await read((request.params as { id: string }).id);
  return reply
    .code(document ? 200 : 404)
    .type(JSON_TYPE)
    .send(JSON.stringify(document ?? null));
});
app.post("/posts", async (request, reply) => {
  const document = stored(randomUUID(), request.body as Post);
  const created = await insert(document);
  return reply
    .code(created ? 201 : 409)
    .type(JSON_TYPE)
    .send(JSON.stringify(document));
});
await app.listen({ port: 0, host: "127.0.0.1" });
tellAddress(app.server);
