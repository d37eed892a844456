/** attack-cases.md Q: hostile documents, ids, updates and bodies. */
import t from "tap";
import { startApp } from "../support/app.ts";
import { cpuTime } from "../support/cpu-time.ts";
import { onEachEngine } from "../support/engines.ts";
import { attack } from "./doors.ts";
import { FALSE_IDS, FORBIDDEN_KEYS, INHERITED_NAMES, PLAIN_IDS } from "./inputs/names.ts";
import { FOREIGN_VALUES } from "./inputs/values.ts";

onEachEngine(t, async (t, engine) => {
  const app = await startApp({ engine });
  t.teardown(() => app.close());
  const NOTES = "/v1/documents/notes";
  await app.send("PUT", `${NOTES}/kept`, { body: { a: 1, nested: { b: [1] } } });
  const kept = async () => (await app.send("GET", `${NOTES}/kept`)).text;
  const count = async () => (await app.send("POST", `${NOTES}/count`, { body: {} })).json.count;
  const before = await kept();

  attack(t, app, "Q05 an id that is an operator names nothing", async (t) => {
    const operator = encodeURIComponent('{"$ne":null}');
    for (const method of ["GET", "PUT", "PATCH", "DELETE"]) {
      const body = method === "PUT" || method === "PATCH" ? { a: 2 } : undefined;
      const { status } = await app.send(method, `${NOTES}/${operator}`, { body });
      t.ok(status === 400 || status === 404, `${method}: ${status}`);
    }
    for (const id of FALSE_IDS) {
      for (const item of [
        { op: "delete", collection: "notes", id },
        { op: "set", collection: "notes", id, document: { a: 2 } },
        { op: "update", collection: "notes", id, update: { a: 2 }, upsert: true },
        { op: "check", collection: "notes", id, ifVersion: 0 },
      ]) {
        const { status } = await app.send("POST", "/v1/batch", { body: { operations: [item] } });
        t.equal(status, 400, `${item.op} ${JSON.stringify(id)?.slice(0, 40)}`);
      }
    }
    t.strictSame([await kept(), await count()], [before, 1], "nothing changed");
  });

  attack(t, app, "Q06 an _id is a short plain text, or refused", async (t) => {
    for (const id of FALSE_IDS) {
      const body = { _id: id, a: 1 };
      const name = JSON.stringify(id)?.slice(0, 40);
      t.equal((await app.send("POST", NOTES, { body })).status, 400, `create ${name}`);
      t.equal((await app.send("PUT", `${NOTES}/kept`, { body })).status, 400, `replace with ${name}`);
      t.equal((await app.send("PATCH", `${NOTES}/kept`, { body: { _id: id } })).status, 400, `change to ${name}`);
    }
    t.strictSame([await kept(), await count()], [before, 1], "nothing changed");
    for (const id of PLAIN_IDS) {
      const made = await app.send("POST", "/v1/documents/plain", { body: { _id: id } });
      t.strictSame([made.status, made.json._id], [201, id], id);
      const read = await app.send("GET", `/v1/documents/plain/${encodeURIComponent(id)}`);
      if (id !== "...") t.strictSame([read.status, read.json._id], [200, id], id);
      const found = await app.send("POST", "/v1/documents/plain/query", { body: { filter: { _id: id } } });
      t.equal(found.json.documents.length, 1, `${id} is found as text`);
    }
    const named = await app.send("PUT", `${NOTES}/kept`, { body: { _id: "other" } });
    t.equal(named.status, 400, "an _id other than the URL's");
  });

  attack(t, app, "Q07 values of other drivers are refused or come back as they were sent", async (t) => {
    for (const value of FOREIGN_VALUES) {
      for (const text of [`{"a":${value}}`, `{"b":{"c":1},"a":${value}}`, `{"b":[1],"a":[${value}]}`]) {
        const stored = await app.send("PUT", "/v1/documents/values/x", { body: text });
        t.equal(stored.status, 400, `${text}: ${stored.text.slice(0, 100)}`);
      }
      for (const filter of [`{"a":${value}}`, `{"a":{"$in":[${value}]}}`]) {
        const asked = await app.send("POST", "/v1/documents/values/query", { body: `{"filter":${filter}}` });
        t.equal(asked.status, 400, filter);
      }
      const changed = await app.send("PATCH", `${NOTES}/kept`, { body: `{"$set":{"a":${value}}}` });
      t.equal(changed.status, 400, `$set ${value}`);
    }
    for (const name of INHERITED_NAMES) {
      const body = { [name]: { [name]: "x" }, list: [{ [name]: 1 }] };
      const stored = await app.send("PUT", "/v1/documents/values/x", { body });
      t.equal(stored.status, 201 - (name === INHERITED_NAMES[0] ? 0 : 1), name);
      const read = await app.send("GET", "/v1/documents/values/x");
      t.match(read.json, body, name);
      const found = await app.send("POST", "/v1/documents/values/query", {
        body: { filter: { [`${name}.${name}`]: "x" } },
      });
      t.equal(found.json.documents.length, 1, name);
      const other = await app.send("POST", "/v1/documents/notes/query", {
        body: { filter: { [name]: { $exists: true } } },
      });
      t.strictSame(other.json.documents, [], `no document inherits ${name}`);
    }
  });

  attack(t, app, "Q08 Q09 keys that are none are refused at every depth, and no object gains a property", async (t) => {
    for (const key of FORBIDDEN_KEYS) {
      const bodies = [
        `{${key}:{"x":1}}`,
        `{"a":{${key}:1,"b":2}}`,
        `{"a":[[{"b":1,${key}:1}]]}`,
        `{"ok":1,${key}:{"polluted":true}}`,
      ];
      for (const body of bodies) {
        t.equal((await app.send("POST", NOTES, { body })).status, 400, `create ${body}`);
        t.equal((await app.send("PUT", `${NOTES}/kept`, { body })).status, 400, `replace ${body}`);
        const inSet = await app.send("PATCH", `${NOTES}/kept`, { body: `{"$set":{"v":${body}}}` });
        t.equal(inSet.status, 400, `$set ${body}`);
        const item = `{"op":"set","collection":"notes","id":"kept","document":${body}}`;
        t.equal(
          (await app.send("POST", "/v1/batch", { body: `{"operations":[${item}]}` })).status,
          400,
          `batch ${body}`,
        );
      }
    }
    for (const path of [
      "__proto__.x",
      "a.__proto__.x",
      "constructor.prototype.x",
      "a.constructor",
      "a.",
      ".a",
      "a..b",
      "",
      "a.$.b",
      "\ud800",
    ]) {
      for (const body of [
        { $set: { [path]: 1 } },
        { $unset: [path] },
        { $inc: { [path]: 1 } },
        { $rename: { a: path } },
      ]) {
        t.equal((await app.send("PATCH", `${NOTES}/kept`, { body })).status, 400, JSON.stringify(body));
      }
    }
    for (const query of [
      "a[__proto__][x]=1",
      "__proto__[x]=1",
      "__proto__=1",
      "constructor=1",
      "filter[__proto__]=1",
    ]) {
      t.equal((await app.send("GET", `${NOTES}?${query}`)).status, 400, query);
    }
    for (const body of ['{"__proto__":{"filter":{}}}', '{"filter":{"__proto__":1}}', '{"filter":{"a.__proto__":1}}']) {
      t.equal((await app.send("POST", `${NOTES}/query`, { body })).status, 400, body);
    }
    const schema = '{"name":"polluted","schema":{"properties":{"__proto__":{"type":"object"}}}}';
    const declared = await app.send("POST", "/v1/admin/collections", { body: schema });
    t.ok(declared.status === 201 || declared.status === 400);
    t.notOk("polluted" in {} || "x" in {}, "no prototype was touched");
    t.strictSame([await kept(), await count()], [before, 1], "nothing changed");
    t.notMatch(await kept(), /polluted/);
  });

  attack(t, app, "Q09 names of 64 KB are data within the limits, and no path reaches them", async (t) => {
    const name = "n".repeat(64 * 1024);
    const stored = await app.send("PUT", "/v1/documents/long/x", { body: { [name]: 1 } });
    t.equal(stored.status, 201);
    t.equal((await app.send("GET", "/v1/documents/long/x")).json[name], 1);
    const asked = await app.send("POST", "/v1/documents/long/query", { body: { filter: { [name]: 1 } } });
    t.match([asked.status, asked.json.error.code], [400, "invalid_argument"]);
    t.ok(asked.text.length < 4000, "and the refusal does not repeat it");
  });

  attack(t, app, "Q13 deep documents and updates are refused before any other work", async (t) => {
    for (const levels of [33, 50, 100, 1000, 100_000]) {
      for (const [open, close] of [
        ['{"a":', "}"],
        ["[", "]"],
        ['{"a":[', "]}"],
      ] as const) {
        const value = `${open.repeat(levels)}1${close.repeat(levels)}`;
        const spent = cpuTime();
        const stored = await app.send("PUT", `${NOTES}/kept`, { body: `{"v":${value}}` });
        t.equal(stored.status, 400, `${levels} ${open}`);
        t.ok(spent() < 250, `${levels} ${open}`);
        t.equal((await app.send("PATCH", `${NOTES}/kept`, { body: `{"$push":{"v":${value}}}` })).status, 400);
      }
    }
    const fits = `${'{"a":'.repeat(31)}1${"}".repeat(31)}`;
    t.equal(
      (await app.send("PUT", "/v1/documents/deep/x", { body: `{"v":${fits}}` })).status,
      201,
      "32 levels are data",
    );
  });

  attack(t, app, "Q16 of equal members the last is judged, stored and sent", async (t) => {
    const schema = { properties: { role: { enum: ["user", "admin"] } } };
    await app.send("POST", "/v1/admin/collections", { body: { name: "roles", schema } });
    const last = await app.send("PUT", "/v1/documents/roles/x", { body: '{"role":"user","role":"admin"}' });
    t.equal(last.json.role, "admin");
    t.equal((await app.send("GET", "/v1/documents/roles/x")).json.role, "admin");
    const judged = await app.send("PUT", "/v1/documents/roles/x", { body: '{"role":"user","role":"root"}' });
    t.equal(judged.status, 422);
    const found = await app.send("POST", "/v1/documents/roles/query", {
      body: '{"filter":{"role":"admin","role":"user"}}',
    });
    t.strictSame(found.json.documents, []);
    const batch = '{"operations":[],"operations":[{"op":"delete","collection":"roles","id":"x","id":"none"}]}';
    t.equal((await app.send("POST", "/v1/batch", { body: batch })).status, 404);
  });

  attack(t, app, "Q17 a body of another type is never handled unvalidated", async (t) => {
    const types = [
      "application/json\ta",
      " application/json",
      "APPLICATION/JSON",
      "application/json; x",
      "text/plain",
      "application/json;",
      "*/*",
    ];
    for (const type of types) {
      const { status } = await app.send("POST", `${NOTES}/query`, {
        body: '{"where":1}',
        headers: { "content-type": type },
      });
      t.ok(status === 415 || status === 400, `${JSON.stringify(type)}: ${status}`);
      const stored = await app.send("PUT", `${NOTES}/kept`, {
        body: '{"$where":1}',
        headers: { "content-type": type },
      });
      t.ok(stored.status === 415 || stored.status === 400, `${JSON.stringify(type)}: ${stored.status}`);
    }
    t.equal(await kept(), before);
  });
});
