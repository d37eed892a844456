/**
 * L3: fastify and one prepared better-sqlite3 statement a request, with nothing of Galley between them. The table holds
 * the posts of harness/post.ts; an insert is one transaction, synced to disk (FULL), and a page is one indexed query
 * whose texts are joined.
 */
import { join } from "node:path";
import Database from "better-sqlite3";
import Fastify from "fastify";
import { post, postId } from "../harness/post.ts";
import { tellAddress } from "./tell-address.ts";

const db = new Database(join(process.env.BENCH_FOLDER as string, "ceiling.db"));
db.pragma("journal_mode = WAL");
db.pragma("synchronous = FULL");
db.exec(`CREATE TABLE IF NOT EXISTS posts(id TEXT PRIMARY KEY, author TEXT, createdAt TEXT, data TEXT NOT NULL) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS by_author ON posts(author, createdAt DESC);`);
const insert = db.prepare("INSERT INTO posts VALUES(?, ?, ?, ?)");

const count = Number(process.env.BENCH_COUNT);
const authors = Number(process.env.BENCH_AUTHORS ?? 1000);
db.transaction(() => {
  for (let n = 0; n < count; n++) {
    const document = { _id: postId(n), ...post(n, authors) };
    insert.run(postId(n), document.author, document.createdAt.$date, JSON.stringify(document));
  }
})();

const byId = db.prepare("SELECT data FROM posts WHERE id = ?").pluck();
const byAuthor = db.prepare("SELECT data FROM posts WHERE author = ? ORDER BY createdAt DESC LIMIT 20").pluck();
const after = db
  .prepare("SELECT data FROM posts WHERE author = ? AND createdAt < ? ORDER BY createdAt DESC LIMIT 20")
  .pluck();

const app = Fastify();
app.get("/posts/:id", async (request, reply) => {
  const text = byId.get((request.params as { id: string }).id) as string | undefined;
  return reply.type("application/json; charset=utf-8").send(text);
});
app.get("/page", async (request, reply) => {
  const { author, before } = request.query as { author: string; before?: string };
  const texts = (before === undefined ? byAuthor.all(author) : after.all(author, before)) as string[];
  return reply.type("application/json; charset=utf-8").send(`{"documents":[${texts.join(",")}]}`);
});
let next = count;
app.post("/posts", async (request, reply) => {
  const document = request.body as { author: string; createdAt: { $date: string } };
  const text = JSON.stringify(document);
  insert.run(postId(next++), document.author, document.createdAt.$date, text);
  return reply.code(201).type("application/json; charset=utf-8").send(text);
});
await app.listen({ port: 0, host: "127.0.0.1" });
tellAddress(app.server);
