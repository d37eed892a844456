/** fault-cases.md F21: another program writes into Galley's collections directly. */
import { Binary, Decimal128, Double, Int32, Long, MinKey, MongoClient, ObjectId, Timestamp } from "mongodb";
import t from "tap";
import { startGalleyOn } from "../support/galley-on-mongodb.ts";
import { enterLive } from "../support/live-client.ts";
import { useMongod } from "../support/mongod.ts";
import { PROCESS_KEY } from "../support/server-process.ts";

const mongod = await useMongod(t);
if (mongod) {
  const galley = await startGalleyOn(t, mongod.url);
  const client = new MongoClient(galley.mongodbUrl);
  t.teardown(() => client.close());
  const notes = client.db().collection("notes");
  /** The driver's types know ObjectIds only. */
  const at = (_id: unknown, fields: object = {}): object => ({ _id, ...fields });
  const NOTES = "/v1/documents/notes";
  const send = (method: string, path: string, body?: object) => galley.send(method, NOTES + path, body, undefined);
  const created = await galley.send(
    "POST",
    "/v1/admin/collections",
    { name: "notes", indexes: [{ paths: ["n"] }] },
    undefined,
  );
  t.equal(created?.status, 201);
  const read = async (id: string) => {
    const answer = await send("GET", `/${id}`);
    return answer?.status === 200 ? (answer.body as Record<string, unknown>) : answer?.status;
  };
  const list = async () => {
    const page = (await send("POST", "/query", { limit: 1000 }))?.body as { documents: { _id: string }[] };
    return page.documents.map(({ _id }) => _id);
  };

  t.test("a missing or odd _v counts as version 1, and the next write repairs it", async (t) => {
    const odd = {
      none: undefined,
      text: "7",
      zero: new Int32(0),
      negative: new Int32(-3),
      fraction: new Double(1.5),
      long: Long.fromNumber(-5),
      vast: Long.fromString("9007199254740993"),
      list: [3],
      object: { a: 1 },
      nothing: null,
    };
    for (const [name, _v] of Object.entries(odd)) {
      await notes.insertOne(at(name, { n: new Int32(1), ...(_v === undefined ? {} : { _v }) }));
      t.match(await read(name), { _id: name, n: 1 }, name);
      const item = { op: "update", collection: "notes", id: name, update: { $inc: { n: 1 } } };
      const wrong = await galley.send("POST", "/v1/batch", { operations: [{ ...item, ifVersion: 2 }] }, undefined);
      t.match(wrong, { status: 412, body: { error: { code: "version_conflict" } } }, `${name} is not at version 2`);
      const right = await galley.send("POST", "/v1/batch", { operations: [{ ...item, ifVersion: 1 }] }, undefined);
      t.equal(right?.status, 200, `${name} is at version 1`);
      const stored = await notes.findOne(at(name));
      t.match(stored, { n: 2, _createdAt: Date, _updatedAt: Date }, `${name} is whole`);
      t.ok(Number.isSafeInteger(stored?._v) && Number(stored?._v) > 1, `${name} has a version`);
      t.equal((await send("DELETE", `/${name}`))?.status, 204);
    }
  });

  t.test("a _v that another program wrote as an int64 is that version", async (t) => {
    await notes.insertOne(at("long", { n: new Int32(1), _v: Long.fromNumber(5) }));
    const item = { op: "update", collection: "notes", id: "long", update: { $inc: { n: 1 } } };
    for (const [ifVersion, status] of [
      [1, 412],
      [5, 200],
    ]) {
      const answer = await galley.send("POST", "/v1/batch", { operations: [{ ...item, ifVersion }] }, undefined);
      t.equal(answer?.status, status, `at ${ifVersion}`);
    }
    t.equal((await send("DELETE", "/long"))?.status, 204);
  });

  t.test("inserts, operator updates, replaces and deletes of another program hold like our own", async (t) => {
    await notes.insertOne(at("a", { n: new Int32(1), list: [new Int32(1)] }));
    t.match(await read("a"), { n: 1, list: [1] });
    await notes.updateOne(at("a"), { $inc: { n: new Int32(4) }, $push: { list: new Int32(2) as never } });
    t.match(await read("a"), { n: 5, list: [1, 2] });
    t.equal((await send("PATCH", "/a", { $inc: { n: 1 } }))?.status, 200);
    await notes.updateOne(at("a"), { $inc: { n: new Int32(10) } });
    t.match(await read("a"), { n: 16 }, "our version, their number");
    t.match((await send("PATCH", "/a", { $inc: { n: 1 } }))?.body, { n: 17 });
    await notes.replaceOne(at("a"), { title: "replaced" });
    t.match(await read("a"), { title: "replaced", n: undefined });
    t.equal((await send("PATCH", "/a", { n: 3 }))?.status, 200);
    await notes.deleteOne(at("a"));
    t.equal(await read("a"), 404);
    t.equal((await send("POST", "", { _id: "a", n: 1 }))?.status, 201);
    const found = await send("POST", "/query", { filter: { n: { $gte: 1 } } });
    t.match(found?.body, { documents: [{ _id: "a" }] });
  });

  t.test("a tag does not outlive what another program makes of its document, whatever the version says", async (t) => {
    await send("PUT", "/tagged", { n: 1 });
    const get = (tag = "none") =>
      fetch(`${galley.url}${NOTES}/tagged`, {
        headers: { authorization: `Bearer ${PROCESS_KEY}`, "if-none-match": `"${tag}"` },
      });
    const tagOf = (response: Response) => response.headers.get("etag")?.slice(1, -1);
    const tag = tagOf(await get());
    t.equal((await get(tag)).status, 304);
    await notes.updateOne(at("tagged"), { $set: { n: new Int32(2) } });
    const changed = await get(tag);
    t.match(await changed.json(), { n: 2 });
    t.equal((await get(tagOf(changed))).status, 304);
    t.equal((await send("DELETE", "/tagged"))?.status, 204);
  });

  t.test("of a collection that another program made a capped one it is told that it cannot be read", async (t) => {
    await galley.send("PUT", "/v1/documents/ring/a", { n: 1 }, undefined);
    await client.db().command({ convertToCapped: "ring", size: 4096 });
    for (const kind of ["query", "count"]) {
      const answer = await galley.send("POST", `/v1/documents/ring/${kind}`, {}, undefined);
      t.match(answer?.body, { error: { code: "failed_precondition", message: /capped/ } }, kind);
    }
    const socket = await enterLive(galley.url, PROCESS_KEY);
    const asked = await socket.answered(socket.find("ring"));
    t.match(asked.error, { code: "failed_precondition", message: /capped/ });
    socket.session.end();
  });

  t.test("versions told by Galley rise through writes of others in between", async (t) => {
    const version = async () => Number(((await read("rising")) as Record<string, unknown>)._v);
    await send("PUT", "/rising", { n: 1 });
    let last = await version();
    for (let n = 0; n < 20; n++) {
      if (n % 2) await notes.updateOne(at("rising"), { $set: { n: new Int32(n + 1000) } });
      else await notes.deleteOne(at("rising"));
      t.match((await send("PUT", "/rising", { n }))?.status, /200|201/);
      const now = await version();
      t.ok(now > last, `${now} after ${last}`);
      last = now;
    }
  });

  t.test("what the language cannot hold is skipped by every read, and harms no other document", async (t) => {
    const before = await list();
    const values = {
      decimal: Decimal128.fromString("1.5"),
      objectId: new ObjectId(),
      expression: /x/,
      timestamp: new Timestamp({ t: 1, i: 1 }),
      infinity: new Double(Number.POSITIVE_INFINITY),
      nan: new Double(Number.NaN),
      least: new MinKey(),
      uuid: new Binary(Buffer.alloc(16), 4),
      farDate: new Date(8.64e15),
      dollar: { $set: 1 },
      dotted: { "a.b": 1 },
      deep: Array.from({ length: 120 }).reduce<unknown>((inner) => [inner], 1),
      long: "x".repeat(2 ** 20 + 100),
    };
    const ids: unknown[] = [];
    for (const [name, value] of Object.entries(values)) {
      ids.push(`foreign-${name}`);
      await notes.insertOne(at(`foreign-${name}`, { n: new Int32(1), value }));
    }
    for (const _id of [new ObjectId(), new Int32(7), { a: 1 }, "", "a/b", "x".repeat(300), null]) {
      ids.push(_id);
      await notes.insertOne(at(_id, { n: new Int32(1) }));
    }
    await notes.insertOne(at("foreign-field", { _secret: 1 }));
    await notes.insertOne(at("foreign-version", { _v: new Double(Number.POSITIVE_INFINITY) }));
    ids.push("foreign-field", "foreign-version");
    t.same(await list(), before);
    for (const name of Object.keys(values)) t.equal(await read(`foreign-${name}`), 404, name);
    for (const [path, body] of [
      ["/query", { filter: { n: 1 }, sort: ["-n"] }],
      ["/count", { filter: { n: 1 } }],
      ["/distinct", { path: "n" }],
      ["/aggregate", { group: ["n"], out: { count: { count: true } } }],
    ] as const) {
      const with_ = await send("POST", path, body);
      t.equal(with_?.status, 200, path);
      await notes.updateMany(at({ $in: ids }), { $set: { kept: true } });
    }
    const put = await send("PUT", "/foreign-decimal", { n: 1 });
    t.ok(put && put.status < 500, `a write over one of them is told clearly: ${put?.status}`);
    await notes.deleteMany(at({ $in: ids }));
    t.same(
      (await list()).filter((id) => id !== "foreign-decimal"),
      before,
    );
  });
}
