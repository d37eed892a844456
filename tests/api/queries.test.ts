import t from "tap";
import { startApp } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";
import { type Row, scenario } from "../support/scenario.ts";

onEachEngine(t, async (t, engine) => {
  const app = await startApp({ engine });
  t.teardown(() => app.close());
  const rows = (name: string, list: Row[]) => t.test(name, (t) => scenario(t, app, list));
  const DOCUMENTS = "/v1/documents/people";

  const people = [
    { _id: "ada", name: "Ada", age: 36, city: "London", tags: ["math"], born: { $date: "1815-12-10T00:00:00Z" } },
    { _id: "bob", name: "Bob", age: 36, city: "Paris", tags: ["math", "chess"] },
    { _id: "cyd", name: "Cyd", age: 20, city: "Paris", tags: [] },
    { _id: "dee", name: "Dee", city: "London" },
  ];
  const loaded = await app.send("POST", "/v1/batch", {
    body: { operations: people.map((document) => ({ op: "create", collection: "people", document })) },
  });
  t.equal(loaded.status, 200, loaded.text);
  const ids = (json: { documents: { _id: string }[] }) => json.documents.map((document) => document._id).join();

  t.test("a question in the URL and in the body is the same question", async (t) => {
    const filter = { city: "Paris", age: { $gte: 20 } };
    const url = `filter=${encodeURIComponent(JSON.stringify(filter))}&sort=-age,name&limit=10&select=name,age`;
    const listed = await app.send("GET", `${DOCUMENTS}?${url}`);
    const body = { filter, sort: ["-age", "name"], limit: 10, select: ["name", "age"] };
    const asked = await app.send("POST", `${DOCUMENTS}/query`, { body });
    t.strictSame([listed.status, asked.status], [200, 200], listed.text);
    t.strictSame(listed.json.documents, asked.json.documents);
    t.equal(ids(listed.json), "bob,cyd");
    t.strictSame(Object.keys(listed.json.documents[0]).sort(), ["_id", "_v", "age", "name"]);
    t.match(listed.json.position, /\.[0-9a-f]{16}$/);
    const plus = await app.send("GET", `${DOCUMENTS}?filter=%7B%22name%22:+%22Ada%22%7D`);
    t.equal(ids(plus.json), "ada", "a plus is a space, as forms send it");
  });

  t.test("pages follow each other by next, and the last has none", async (t) => {
    const seen: string[] = [];
    let after = "";
    for (let page = 0; page < 10; page++) {
      const { json } = await app.send("GET", `${DOCUMENTS}?sort=city,-age&limit=1${after}`);
      seen.push(ids(json));
      if (json.next === undefined) break;
      after = `&after=${encodeURIComponent(json.next)}`;
    }
    t.strictSame(seen, ["ada", "dee", "bob", "cyd"]);
    const whole = await app.send("GET", `${DOCUMENTS}?sort=city,-age`);
    t.equal(ids(whole.json), "ada,dee,bob,cyd");
    t.equal(whole.json.next, undefined);
  });

  t.test("a cursor holds for its own question only", async (t) => {
    const { next } = (await app.send("GET", `${DOCUMENTS}?sort=age&limit=1`)).json;
    const flipped = next.slice(0, -1) + (next.endsWith("A") ? "B" : "A");
    for (const [name, path] of [
      ["one character changed", `${DOCUMENTS}?sort=age&limit=1&after=${flipped}`],
      ["another sort", `${DOCUMENTS}?sort=-age&after=${next}`],
      ["another filter", `${DOCUMENTS}?sort=age&filter=%7B%22age%22:36%7D&after=${next}`],
      ["another collection", `/v1/documents/pets?sort=age&after=${next}`],
      ["text", `${DOCUMENTS}?after=hello`],
      ["nothing", `${DOCUMENTS}?after=`],
    ] as const) {
      const { status, json } = await app.send("GET", path);
      t.strictSame([status, json.error?.code], [400, "cursor_mismatch"], name);
    }
  });

  rows("limit is an integer from 1 to 1000", [
    { name: "1", send: `GET ${DOCUMENTS}?limit=1`, status: 200 },
    { name: "1000", send: `POST ${DOCUMENTS}/query`, body: { limit: 1000 }, status: 200 },
    ...["-1", "0", "1.5", "1e9", "1e2", "1001", "%2210%22", "null", "", "+5", "0x10", "01", "99999999999999999999"].map(
      (limit) => ({
        name: `limit=${limit} in the URL is refused`,
        send: `GET ${DOCUMENTS}?limit=${limit}`,
        status: 400,
        shows: { error: { details: { faults: [{ path: "limit" }] } } },
      }),
    ),
    ...[-1, 0, 1.5, 1e9, 1001, "10", null, [1], true].map((limit) => ({
      name: `limit ${JSON.stringify(limit)} in a body is refused`,
      send: `POST ${DOCUMENTS}/query`,
      body: { limit },
      status: 400,
      shows: { error: { details: { faults: [{ path: "limit" }] } } },
    })),
  ]);

  rows("questions name what is wrong with them, all at once", [
    {
      name: "a filter with two faults",
      send: `POST ${DOCUMENTS}/query`,
      body: { filter: { age: { $gtt: 3 }, name: { $in: "x" } } },
      status: 400,
      shows: {
        error: {
          code: "invalid_argument",
          details: {
            faults: [
              { path: "filter.age.$gtt", code: "unknown_operator" },
              { path: "filter.name.$in", code: "bad_operand" },
            ],
          },
        },
      },
    },
    {
      name: "a filter and a sort and a select",
      send: `POST ${DOCUMENTS}/query`,
      body: { filter: { "": 1 }, sort: ["a.0.b"], select: ["$x"] },
      status: 400,
      shows: "numeric_segment",
    },
    {
      name: "a filter in the URL that is no JSON",
      send: `GET ${DOCUMENTS}?filter=%7B`,
      status: 400,
      shows: '"filter"',
    },
    { name: "a filter that is no object", send: `GET ${DOCUMENTS}?filter=%5B%5D`, status: 400, shows: "filter" },
    {
      name: "members it does not know",
      send: `POST ${DOCUMENTS}/query`,
      body: { where: {}, skip: 1 },
      status: 400,
      shows: "where",
    },
    {
      name: "a reserved name",
      send: `POST ${DOCUMENTS}/query`,
      body: { filter: { a: { $regex: "x" } } },
      status: 400,
      shows: "not_available_yet",
    },
  ]);

  rows("count, distinct and aggregate", [
    { name: "count all", send: `POST ${DOCUMENTS}/count`, body: {}, status: 200, shows: { count: 4, more: false } },
    {
      name: "count to a cap",
      send: `POST ${DOCUMENTS}/count`,
      body: { filter: { age: { $gt: 1 } }, cap: 2 },
      status: 200,
      shows: { count: 2, more: true },
    },
    { name: "no cap beyond 100,000", send: `POST ${DOCUMENTS}/count`, body: { cap: 100_001 }, status: 400 },
    {
      name: "distinct values, unwound",
      send: `POST ${DOCUMENTS}/distinct`,
      body: { path: "tags" },
      status: 200,
      shows: { values: ["chess", "math"], more: false },
    },
    {
      name: "distinct needs a path",
      send: `POST ${DOCUMENTS}/distinct`,
      body: {},
      status: 400,
      shows: "missing_member",
    },
    {
      name: "groups with outputs",
      send: `POST ${DOCUMENTS}/aggregate`,
      body: { group: ["city"], out: { n: { count: true }, s: { sum: "age" } }, sort: ["-s"] },
      status: 200,
      shows: {
        groups: [
          { key: ["Paris"], out: { n: 2, s: 56 } },
          { key: ["London"], out: { n: 2, s: 36 } },
        ],
        more: false,
      },
    },
    {
      name: "groups need outputs",
      send: `POST ${DOCUMENTS}/aggregate`,
      body: { group: ["city"] },
      status: 400,
      shows: "out",
    },
    {
      name: "an undeclared collection is empty",
      send: "POST /v1/documents/pets/count",
      body: {},
      status: 200,
      shows: { count: 0, more: false },
    },
  ]);

  t.test("expand brings declared references in a side map", async (t) => {
    const ref = { type: "string", ref: "people" };
    const schema = { type: "object", properties: { owner: ref, friends: { type: "array", items: ref } } };
    await app.send("POST", "/v1/admin/collections", { body: { name: "pets", schema } });
    await app.send("PUT", "/v1/documents/pets/rex", { body: { owner: "ada", friends: ["bob", "gone"] } });
    const page = await app.send("GET", "/v1/documents/pets?expand=owner,friends");
    t.match(page.json, {
      documents: [{ _id: "rex" }],
      included: { people: { ada: { name: "Ada" }, bob: { name: "Bob" } } },
      references: { owner: "people" },
    });
    t.notOk("gone" in page.json.included.people, page.text);
    const one = await app.send("GET", "/v1/documents/pets/rex?expand=owner");
    t.match(
      [one.status, one.json],
      [200, { document: { _id: "rex" }, included: { people: { ada: { name: "Ada" } } } }],
    );
    t.equal(one.headers.etag, undefined, "two documents have no one tag");
    const undeclared = await app.send("GET", "/v1/documents/pets/rex?expand=name");
    t.equal(undeclared.status, 400, undeclared.text);
  });
});
