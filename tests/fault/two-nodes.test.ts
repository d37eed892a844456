/** Two Galleys on one MongoDB: what is changed through one holds in the other when it is answered, whatever befalls them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Document, MongoClient } from "mongodb";
import t, { type Test } from "tap";
import { type Mongod, newDatabase, useMongod, withDatabase } from "../support/mongod.ts";
import { PROCESS_KEY, type ServerProcess, startGalley } from "../support/server-process.ts";
import { until } from "../support/until.ts";

const mongod = await useMongod(t);
if (mongod) await testTwoNodes(mongod);

async function testTwoNodes(mongod: Mongod): Promise<void> {
  const both = await startTwo(t, mongod);
  /** Two nodes that the tests share, since a start costs a second of a core each; `posts` is there no more. */
  const shareTwo = async () => {
    await both.a("DELETE", "/v1/admin/collections/posts");
    return both;
  };

  t.test("definitions changed through one node hold in the other when the change is answered", async (t) => {
    const { a, b } = await shareTwo();
    const [n, text] = [typed("number"), typed("string")];
    t.equal((await a("POST", "/v1/admin/collections", { name: "posts", schema: n })).status, 201);
    t.match(await b("GET", "/v1/admin/collections/posts"), { status: 200, json: { schema: n } });
    for (let round = 0; round < 4; round++) {
      const [here, there] = round % 2 === 0 ? [a, b] : [b, a];
      const schema = round % 2 === 0 ? text : n;
      const changed = await here("PATCH", "/v1/admin/collections/posts", { schema, acceptExisting: true });
      t.equal(changed.status, 200);
      const [good, bad] = round % 2 === 0 ? ["one", 1] : [1, "one"];
      const refused = await there("POST", "/v1/documents/posts", { n: bad });
      t.match(refused, { status: 422, json: { error: { code: "schema_violation" } } });
      t.equal((await there("POST", "/v1/documents/posts", { n: good })).status, 201);
      const next = { schema, ifVersion: changed.json.version };
      t.equal((await there("PATCH", "/v1/admin/collections/posts", { ...next, acceptExisting: true })).status, 200);
    }
    for (let round = 0; round < 4; round++) {
      const name = `fresh${round}`;
      const [here, there] = round % 2 === 0 ? [a, b] : [b, a];
      t.equal(
        (await here("POST", `/v1/documents/${name}`, { _id: "x", n: 1 })).status,
        201,
        "declared by a first write",
      );
      t.equal((await there("GET", `/v1/documents/${name}/x`)).status, 200);
      t.equal((await there("PUT", `/v1/documents/${name}/y`, { n: 2 })).status, 201);
      t.equal((await there("DELETE", `/v1/admin/collections/${name}`)).status, 204);
      t.equal((await here("GET", `/v1/admin/collections/${name}`)).status, 404);
      t.equal((await here("PATCH", `/v1/documents/${name}/x`, { n: 2 })).status, 404);
    }
    const rush = await Promise.all([a, b, a, b].map((node) => node("POST", "/v1/documents/rush", { n: 1 })));
    t.strictSame(statuses(rush), [201, 201, 201, 201], "whoever is faster, all get the one collection");
    const racing = await Promise.all(
      [a, b, a, b].map((node) => node("POST", "/v1/admin/collections", { name: "race" })),
    );
    t.strictSame(statuses(racing).sort(), [201, 409, 409, 409]);
  });

  t.test("while both nodes write, no document slips past a schema that was answered", async (t) => {
    const { a, b } = await shareTwo();
    await a("POST", "/v1/admin/collections", { name: "posts" });
    let stop = false;
    const ends = { taken: 0, refused: 0 };
    const writers = [a, b, a, b].map(async (node, w) => {
      for (let i = 0; !stop; i++) {
        const body = i % 2 === 0 ? { n: i } : { n: `${i}` };
        const { status } = await node("PUT", `/v1/documents/posts/w${w}-${i % 20}`, body);
        ends[status < 300 ? "taken" : "refused"] += 1;
      }
    });
    const unfit = async (node: Send, schema: object) => {
      const { json } = await node("POST", "/v1/admin/collections/posts/check", { schema });
      const ids = json.examples.map(({ id }: { id: string }) => id);
      const { documents } = (await node("POST", "/v1/documents/posts/query", { limit: 200 })).json;
      return new Set(documents.filter(({ _id }: Json) => ids.includes(_id)).map(({ _id, _v }: Json) => `${_id} ${_v}`));
    };
    for (let round = 0; round < 3; round++) {
      const [here, there] = round % 2 === 0 ? [a, b] : [b, a];
      const schema = typed(round % 2 === 0 ? "number" : "string");
      const change = { schema, acceptExisting: true };
      t.equal((await here("PATCH", "/v1/admin/collections/posts", change)).status, 200);
      const left = await unfit(there, schema);
      const { taken, refused } = ends;
      await until(() => ends.taken > taken + 20 && ends.refused > refused + 20);
      const later = await unfit(here, schema);
      t.strictSame(
        [...later].filter((version) => !left.has(version)),
        [],
        `none came after the answer (${left.size} left)`,
      );
    }
    stop = true;
    await Promise.all(writers);
  });

  t.test("changes of both nodes take turns", async (t) => {
    const { a, b } = await shareTwo();
    const made = await a("POST", "/v1/admin/collections", { name: "posts" });
    const turns = [a, b, a, b, a, b].map((node, i) =>
      node("PATCH", "/v1/admin/collections/posts", { indexes: [{ paths: [`p${i}`] }] }),
    );
    const ends = statuses(await Promise.all(turns));
    t.ok(ends.includes(200));
    t.ok(
      ends.every((status) => status === 200 || status === 409),
      `each is done or told to try again: ${ends}`,
    );
    const [one, other] = await Promise.all([a, b].map((node) => node("GET", "/v1/admin/collections/posts")));
    t.equal(one?.json.version, other?.json.version);
    t.equal(one?.json.indexes.length, 1);
    const { version: ifVersion } = made.json;
    const stale = await b("PATCH", "/v1/admin/collections/posts", { indexes: [], ifVersion });
    t.match(stale, { status: 412, json: { error: { code: "version_conflict" } } });
    const ifNow = { ifVersion: one?.json.version };
    const both = [a, b].map((node) => node("PATCH", "/v1/admin/collections/posts", { indexes: [], ...ifNow }));
    t.strictSame(statuses(await Promise.all(both)).sort(), [200, 412]);
  });

  t.test("an index built through one node is used by the other, and a unique one holds on both", async (t) => {
    const { a, b, client } = await shareTwo();
    const rows = Array.from({ length: 500 }, (_, i) => ({
      op: "create",
      collection: "posts",
      document: { n: i, u: i },
    }));
    await a("POST", "/v1/batch", { operations: rows });
    const indexes = [{ paths: ["n"] }, { paths: ["u"], unique: true }];
    t.equal((await a("PATCH", "/v1/admin/collections/posts", { indexes })).status, 200);
    await until(async () => {
      const { json } = await b("GET", "/v1/admin/collections/posts");
      return json.indexes.every(({ state }: { state: string }) => state === "ready");
    });
    const uses = async () => {
      const stats = await client
        .db()
        .collection("posts")
        .aggregate([{ $indexStats: {} }])
        .toArray();
      const [own] = stats.filter(({ key }) => key.n !== undefined);
      return Number(own?.accesses.ops);
    };
    const before = await uses();
    await until(async () => {
      const page = await b("POST", "/v1/documents/posts/query", { filter: { n: { $gte: 490 } }, sort: ["n"] });
      t.equal(page.json.documents.length, 10);
      return (await uses()) > before;
    });
    t.match(await b("POST", "/v1/documents/posts", { u: 3 }), {
      status: 409,
      json: { error: { code: "unique_violation" } },
    });
  });

  t.test("a key made through one node is good in the other, and one that was revoked or rotated is not", async (t) => {
    const { a, b } = await shareTwo();
    await a("POST", "/v1/documents/posts", { _id: "p" });
    for (let round = 0; round < 6; round++) {
      const [here, there] = round % 2 === 0 ? [a, b] : [b, a];
      const made = await here("POST", "/v1/admin/keys", { name: `k${round}`, scopes: ["documents:posts:get"] });
      const { key, secret } = made.json;
      const as = (token: string) =>
        there("GET", "/v1/documents/posts/p", undefined, { authorization: `Bearer ${token}` });
      t.equal((await as(secret)).status, 200);
      const path = `/v1/admin/keys/${key.id}`;
      if (round % 3 === 0) {
        const rotated = await here("POST", `${path}/rotate`, {});
        t.equal((await as(secret)).status, 401, "the old secret is gone");
        t.equal((await as(rotated.json.secret)).status, 200);
      } else if (round % 3 === 1) {
        await here("PATCH", path, { scopes: ["documents:others:get"] });
        t.equal((await as(secret)).status, 403, "the scopes are the new ones");
      }
      t.equal((await here("DELETE", path)).status, 204);
      t.equal((await as(secret)).status, 401);
    }
  });

  t.test(
    "F39 20 parallel requests with one Idempotency-Key over two nodes have one effect and one answer",
    async (t) => {
      const { a, b } = await shareTwo();
      await a("POST", "/v1/documents/posts", { _id: "counter", n: 0 });
      const one = { op: "update", collection: "posts", id: "counter", update: { $inc: { n: 1 } } };
      for (let round = 0; round < 2; round++) {
        await a("PUT", `/v1/documents/posts/gone${round}`, {});
        const requests: [string, string, unknown][] = [
          ["POST", "/v1/documents/posts", { round }],
          ["POST", "/v1/documents/posts", { _id: `named${round}`, round }],
          ["PATCH", "/v1/documents/posts/counter", { $inc: { n: 1 } }],
          ["PATCH", `/v1/documents/posts/up${round}?upsert=true`, { $inc: { n: 1 } }],
          ["DELETE", `/v1/documents/posts/gone${round}`, undefined],
          ["POST", "/v1/batch", { operations: [one, { op: "create", collection: "posts", document: { round } }] }],
          ["POST", `/v1/documents/undeclared${round}`, { round }],
        ];
        for (const [i, [method, path, body]] of requests.entries()) {
          const headers = { "idempotency-key": `key-${round}-${i}` };
          const twins = Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? a : b)(method, path, body, headers));
          const answers = await Promise.all(twins);
          const told = answers.map(({ status, text }) => `${status} ${text.replace(/,"position":"[^"]*"/, "")}`);
          t.equal(new Set(told).size, 1, `${method} ${path}: ${[...new Set(told)].join(" | ")}`);
          t.ok((answers[0]?.status ?? 500) < 300);
        }
      }
      t.match(await b("GET", "/v1/documents/posts/counter"), { json: { n: 4 } });
      // The counter; and each round: made, named, upserted, of the batch.
      t.match(await b("POST", "/v1/documents/posts/count", {}), { json: { count: 1 + 2 * 4 } });
    },
  );

  t.test("two nodes together hold no more than a thousand collections", async (t) => {
    const { a, b, client } = await shareTwo();
    const collections = client.db().collection<{ _id: string } & Document>("_collections");
    const now = new Date();
    const definitions = Array.from({ length: 998 - (await collections.countDocuments()) }, (_, i) => {
      return { _id: `many${i}`, _v: 1, _createdAt: now, _updatedAt: now, indexes: [] };
    });
    await collections.insertMany(definitions);
    const last = definitions.at(-1)?._id;
    const know = async (status: number) => {
      const answers = [a, b].map((node) => node("GET", `/v1/admin/collections/${last}`));
      return (await Promise.all(answers)).every((answer) => answer.status === status);
    };
    await until(() => know(200));
    const rush = [a, b, a, b, a, b].map((node, i) => node("POST", "/v1/admin/collections", { name: `rush${i}` }));
    const ends = await Promise.all(rush);
    t.strictSame(statuses(ends).sort(), [201, 201, 412, 412, 412, 412]);
    await until(async () => (await collections.countDocuments()) === 1000);
    t.equal((await a("POST", "/v1/admin/collections", { name: "one-more" })).status, 412);
    await collections.deleteMany({ _id: /^many/ });
    await until(() => know(404));
  });

  t.test("a node that stands still is not waited for long, and serves nothing by what it knew before", async (t) => {
    const { a, b, nodes } = await shareTwo();
    await a("POST", "/v1/admin/collections", { name: "posts" });
    const { json } = await b("POST", "/v1/admin/keys", { name: "k", scopes: ["documents:posts:*"] });
    const as = { authorization: `Bearer ${json.secret}` };
    t.equal((await a("POST", "/v1/documents/posts", { n: 1 }, as)).status, 201);
    process.kill(nodes.a.pid, "SIGSTOP");
    t.teardown(() => process.kill(nodes.a.pid, "SIGCONT"));
    const started = performance.now();
    t.equal((await b("DELETE", `/v1/admin/keys/${json.key.id}`)).status, 204);
    t.ok(performance.now() - started < 8000, "revoked within some seconds");
    t.equal((await b("PATCH", "/v1/admin/collections/posts", { schema: typed("number") })).status, 200);
    const late = Array.from({ length: 8 }, (_, i) =>
      a("POST", "/v1/documents/posts", { n: "x" }, i % 2 === 0 ? as : {}),
    );
    process.kill(nodes.a.pid, "SIGCONT");
    for (const [i, { status }] of (await Promise.all(late)).entries()) {
      t.ok((i % 2 === 0 ? [401, 503] : [422, 503]).includes(status), `${status}`);
    }
    t.equal((await a("POST", "/v1/documents/posts", { n: 1 }, as)).status, 401);
    t.equal((await a("POST", "/v1/documents/posts", { n: "x" })).status, 422);
    t.equal((await a("POST", "/v1/documents/posts", { n: 2 })).status, 201, "and goes on right afterwards");
  });

  t.test("what a killed node has left half done is ended by the other", async (t) => {
    const { a, b, nodes, client } = await shareTwo();
    await a("POST", "/v1/admin/collections", { name: "posts", schema: typed("number") });
    for (let from = 0; from < 4000; from += 500) {
      const rows = Array.from({ length: 500 }, (_, i) => {
        return { op: "create", collection: "posts", id: `d${from + i}`, document: { n: i } };
      });
      await b("POST", "/v1/batch", { operations: rows });
    }
    const collections = client.db().collection<{ _id: string } & Document>("_collections");
    const change = a("PATCH", "/v1/admin/collections/posts", { schema: typed("string"), indexes: [{ paths: ["n"] }] });
    change.catch(() => {}); // it is cut off
    await until(async () => (await collections.findOne({ _id: "posts" }))?.pending !== undefined);
    await nodes.a.end("SIGKILL");
    const pending = (await collections.findOne({ _id: "posts" }))?.pending;
    if (!pending) t.comment("the change was over before the kill");
    const started = performance.now();
    t.equal((await b("PATCH", "/v1/admin/collections/posts", { indexes: [{ paths: ["m"] }] })).status, 200);
    t.ok(performance.now() - started < 12_000, "another change waits no longer than for a node to count as gone");
    t.match((await b("GET", "/v1/admin/collections/posts")).json, {
      schema: typed("number"),
      indexes: [{ paths: ["m"] }],
    });
    t.equal((await b("POST", "/v1/documents/posts", { n: "text" })).status, 422);
    const soon = performance.now();
    t.equal((await b("DELETE", "/v1/admin/collections/posts")).status, 204);
    t.ok(performance.now() - soon < 3000, "and then the dead one is not waited for");
  });
}

type Send = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Readonly<Record<string, string>>,
) => Promise<{ status: number; text: string; json: Json }>;

// Tests look into answers by path; what is not there fails their assertion.
// biome-ignore lint/suspicious/noExplicitAny: see above
type Json = any;

async function startTwo(t: Test, mongod: Mongod) {
  const url = withDatabase(mongod.url, newDatabase());
  const start = async (): Promise<ServerProcess> => {
    const folder = mkdtempSync(join(tmpdir(), "galley-node-"));
    const server = await startGalley(folder, {
      GALLEY_MONGODB_URL: url,
      GALLEY_SECRET: "a-secret-that-both-of-the-nodes-share",
    });
    t.teardown(async () => {
      await server.end("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    });
    return server;
  };
  const [first, second] = await Promise.all([start(), start()]);
  const client = new MongoClient(url);
  t.teardown(() => client.close());
  return { a: sendTo(first), b: sendTo(second), nodes: { a: first, b: second }, client };
}

function sendTo({ url }: ServerProcess): Send {
  return async (method, path, body, headers = {}) => {
    const answer = await fetch(url + path, {
      method,
      headers: {
        authorization: `Bearer ${PROCESS_KEY}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, text, json: text === "" ? undefined : JSON.parse(text) };
  };
}

function typed(type: string) {
  return { type: "object", properties: { n: { type } } };
}

function statuses(answers: readonly { status: number }[]): number[] {
  return answers.map(({ status }) => status);
}
