/** attack-cases.md R: what questions, references and replies tell of what their caller may not read. */
import t from "tap";
import { type Answer, startApp } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";
import { publishRules } from "../support/publish-rules.ts";
import { CANARY, COMPUTED, GUESSES, NESTED, SORTS, WHOLE_PARENTS } from "./inputs/hidden-questions.ts";

onEachEngine(t, async (t, engine) => {
  const lines: string[] = [];
  const note = (event: object, message: string) => void lines.push(`${JSON.stringify(event)} ${message}`);
  const log = { debug: note, info: note, warn: note, error: note };
  // In development mode denials tell why.
  const env = { GALLEY_SECRET: "a secret of the tests that is long enough for it" };
  const app = await startApp({ engine, mode: "production", env, log });
  t.teardown(() => app.close());
  const come = async () => (await app.send("POST", "/v1/auth/anonymous", { as: null, body: {} })).json.session;
  const [ann, bob] = [await come(), await come()];
  const B: string = bob.accessToken;
  const answers: Answer[] = [];
  /** As Bob, whose every answer is searched in the end. */
  const ask = async (method: string, path: string, body?: unknown, headers = {}) => {
    const answer = await app.send(method, `/v1/${path}`, { as: B, body, headers });
    answers.push(answer);
    return answer;
  };
  const bare = ({ status, text }: Answer) => `${status} ${text.replace(/"requestId":"[^"]*"/, "")}`;
  const hidden = { read: false, write: true };
  const OWN = { ownerId: "$auth.id" };
  const author = { type: "string", ref: "people" };
  const posts = {
    list: true,
    get: true,
    create: true,
    update: true,
    fields: { email: hidden, "profile.email": hidden, notes: { read: OWN, write: true } },
  };
  const people = { get: { public: true }, fields: { phone: { read: false } } };
  const rules = {
    format: 1,
    collections: {
      posts,
      people,
      closed: { get: true },
      notes: { list: OWN, get: OWN, create: OWN },
      drop: { create: true },
    },
  };
  const indexes = [{ paths: ["email"], unique: true }];
  for (const definition of [
    { name: "people", schema: { type: "object", properties: { friend: author } } },
    { name: "posts", schema: { type: "object", properties: { author, other: author } }, indexes },
  ]) {
    await app.send("POST", "/v1/admin/collections", { body: definition });
  }
  await publishRules(app, rules);
  const operations = [
    {
      op: "create",
      collection: "people",
      id: "open",
      document: { public: true, name: "Zoe", phone: CANARY, friend: "shut" },
    },
    { op: "create", collection: "people", id: "shut", document: { public: false, name: CANARY } },
    ...["open", "shut", "gone"].map((of, n) => ({
      ...{ op: "create", collection: "posts", id: `p${n}` },
      document: {
        n,
        author: of,
        email: `${CANARY}${n}`,
        profile: { email: CANARY, city: "x" },
        notes: CANARY,
        ownerId: ann.user.id,
      },
    })),
    { op: "create", collection: "notes", id: "n1", document: { ownerId: ann.user.id, text: CANARY } },
    { op: "create", collection: "closed", id: "c1", document: { text: "x" } },
  ];
  t.equal((await app.send("POST", "/v1/batch", { body: { operations } })).status, 200);
  const query = (body: object, door = "query") => ask("POST", `documents/posts/${door}`, body);
  /** Asked twice, of what is there and of what is not, by every door that takes a filter. */
  const refused = async (filters: readonly object[]) => {
    const doors = {
      query: {},
      count: {},
      distinct: { path: "n" },
      aggregate: { group: ["n"], out: { n: { count: true } } },
    };
    const told = new Set<string>();
    for (const filter of filters) {
      for (const [door, more] of Object.entries(doors)) told.add(bare(await query({ ...more, filter }, door)));
    }
    return [...told];
  };
  const message = "the access rules do not allow questions about this field";
  const only = (path: string) => [`403 {"error":{"code":"field_not_queryable","message":"${path}: ${message}",}}`];

  t.test("R01 no operator asks for a hidden field, with a right guess or a wrong one", async (t) => {
    t.strictSame(await refused(GUESSES), only("email"));
  });

  t.test("R02 nor anywhere in a filter", async (t) => {
    t.strictSame(await refused(NESTED), only("email"));
    t.strictSame(await refused(WHOLE_PARENTS), only("profile"));
    t.strictSame(await refused([{ "profile.email": "x" }, { "profile.0.email": "x" }]), [
      ...only("profile.email"),
      ...only("profile.0.email"),
    ]);
    t.strictSame(await refused([{ notes: "x" }]), only("notes"));
  });

  t.test("R03 nor a sort, or a cursor that was made for somebody else", async (t) => {
    for (const sort of SORTS) {
      t.equal((await query({ sort })).json.error.code, "field_not_queryable", String(sort));
    }
    const page = await app.send("POST", "/v1/documents/posts/query", { body: { sort: ["email"], limit: 1 } });
    t.type(page.json.next, "string");
    t.equal((await query({ sort: ["email"], limit: 1, after: page.json.next })).json.error.code, "field_not_queryable");
    t.equal((await query({ sort: ["n"], limit: 1, after: page.json.next })).json.error.code, "cursor_mismatch");
  });

  t.test("R04 nor distinct values, groups and sums", async (t) => {
    for (const [door, body] of COMPUTED) {
      t.equal((await query(body, door)).json.error.code, "field_not_queryable", `${door} ${JSON.stringify(body)}`);
    }
  });

  t.test("R05 counts count what may be listed, and nothing where nothing may be", async (t) => {
    for (const [door, body] of [
      ["count", {}],
      ["query", { limit: 1, select: [] }],
      ["query", { filter: { n: { $exists: true } } }],
    ] as const) {
      t.equal((await ask("POST", `documents/closed/${door}`, body)).status, 403);
    }
    const listed = (await ask("POST", "documents/notes/query", {})).json.documents;
    t.strictSame(listed, []);
    t.equal((await ask("POST", "documents/notes/count", {})).json.count, 0);
    t.strictSame((await ask("POST", "documents/notes/distinct", { path: "text" })).json.values, []);
    const groups = { group: [], out: { n: { count: true }, all: { max: "text" } } };
    t.notOk((await ask("POST", "documents/notes/aggregate", groups)).text.includes(CANARY));
  });

  t.test("R07 references bring what may be got, as it may be seen", async (t) => {
    const { json } = await query({ expand: ["author"], sort: ["n"] });
    t.strictSame(Object.keys(json.included.people), ["open"], JSON.stringify(json));
    t.match(json.included.people.open, { name: "Zoe" });
    t.notOk("phone" in json.included.people.open);
    const one = async (id: string) => (await ask("GET", `documents/posts/${id}?expand=author`)).json.included.people;
    t.strictSame([await one("p1"), await one("p2")], [{}, {}], "hidden and gone are one");
    for (const expand of ["author.friend.friend.friend", "n", "email", "author,other,a,b,c", "_id"]) {
      t.equal((await ask("GET", `documents/posts/p0?expand=${expand}`)).status, 400, expand);
    }
  });

  t.test("R08 nothing refers to collections of the server", async (t) => {
    for (const name of ["_users", "_sessions", "_keys", "_credentials", "_commits", "_rules"]) {
      const schema = { type: "object", properties: { a: { type: "string", ref: name } } };
      t.equal((await app.send("POST", "/v1/admin/collections", { body: { name: "refs", schema } })).status, 400);
      const lookups = { l: { from: name, where: {}, select: "a" } };
      const body = { rules: { format: 1, collections: { posts: { lookups } } }, ifVersion: 1, acknowledge: [] };
      t.equal((await app.send("POST", "/v1/admin/rules/publish", { body })).status, 400);
      t.equal((await ask("GET", `documents/posts/p0?expand=${name}`)).status, 400);
      for (const path of [name, `${name}/x`]) t.ok((await ask("GET", `documents/${path}`)).status >= 400);
      const operations = [{ op: "check", collection: name, id: "x", ifVersion: 0 }];
      t.equal((await ask("POST", "batch", { operations })).status, 400);
    }
  });

  t.test("R09 groups have no stages, and hold to the rules first", async (t) => {
    for (const stage of [
      "$lookup",
      "$graphLookup",
      "$unionWith",
      "$out",
      "$merge",
      "$facet",
      "$collStats",
      "$indexStats",
      "$currentOp",
    ]) {
      for (const body of [
        { [stage]: { from: "notes" } },
        { group: [], out: { x: { [stage]: "notes" } } },
        [{ [stage]: {} }],
      ]) {
        t.equal((await query(body, "aggregate")).status, 400, stage);
      }
    }
  });

  t.test("R10 a clash tells that there is one, and no name or value", async (t) => {
    const clash = await ask("POST", "documents/posts", { email: `${CANARY}0` });
    t.strictSame([clash.status, clash.json.error.code], [409, "unique_violation"]);
    t.strictSame(Object.keys(clash.json.error.details), ["outcome"]);
    t.notOk(clash.text.includes("email"), clash.text);
    answers.pop();
    const operations = [{ op: "create", collection: "posts", document: { email: `${CANARY}0` } }];
    const batch = await app.send("POST", "/v1/batch", { as: B, body: { operations } });
    t.notOk(batch.text.includes("email"), batch.text);
    const taken = await ask("POST", "documents/notes", { _id: "n1", ownerId: bob.user.id });
    t.equal(taken.json.error.code, "already_exists");
    const own = await app.send("POST", "/v1/documents/posts", { body: { email: `${CANARY}0` } });
    t.match(own.json.error.details, { index: { paths: ["email"] } }, "a key is told which");
  });

  t.test("R11 refusals tell no rule, no hidden field of others, no index", async (t) => {
    // Made invalid behind the back of those who may write, but not read it.
    const schema = { type: "object", properties: { author, other: author, email: { type: "string", maxLength: 1 } } };
    await app.send("PATCH", "/v1/admin/collections/posts", { body: { schema, acceptExisting: true } });
    const denials = [
      await ask("PATCH", "documents/posts/p0", { n: 7 }),
      await ask("GET", "documents/notes/n1"),
      await ask("DELETE", "documents/posts/p0"),
      await ask("POST", "documents/notes", { ownerId: ann.user.id }),
      await ask("GET", "documents/nothing"),
      await ask("GET", "admin/rules"),
      await ask("POST", "admin/rules/publish", { rules, ifVersion: 1, acknowledge: [] }),
      await ask("GET", "admin/collections/posts"),
    ];
    t.strictSame(
      denials.map(({ status }) => status),
      [422, 404, 403, 403, 403, 403, 403, 403],
    );
    for (const { text } of denials) {
      t.notMatch(text, /\$auth|ownerId|email|"why"|maxLength|index/, text);
    }
    t.equal(
      bare(await ask("GET", "documents/nothing")),
      bare(await ask("GET", "documents/closed")),
      "closed and not there are one",
    );
    await app.send("PATCH", "/v1/admin/collections/posts", {
      body: { schema: { type: "object", properties: { author, other: author } } },
    });
  });

  t.test("R12 cursors and tags hold nothing hidden", async (t) => {
    const { json } = await query({ sort: ["n"], limit: 1, select: ["n"] });
    t.notOk(Buffer.from(json.next, "base64url").toString().includes("canary"));
    const mine = await ask("POST", "documents/notes/query", { limit: 1, after: json.next });
    t.equal(mine.json.error.code, "cursor_mismatch");
    // A page that a key began goes on as Bob's: his rows only.
    await app.send("PUT", "/v1/documents/notes/n2", { body: { ownerId: ann.user.id, text: CANARY } });
    const began = await app.send("POST", "/v1/documents/notes/query", { body: { limit: 1 } });
    t.strictSame((await ask("POST", "documents/notes/query", { limit: 1, after: began.json.next })).json.documents, []);
  });

  t.test("R13 whoever writes is shown what they may read, and no more", async (t) => {
    const written = [
      await ask("PATCH", "documents/posts/p0", { n: 8 }),
      await ask("PATCH", "documents/posts/p0", { $set: { "profile.city": "y" } }),
      await ask("PUT", "documents/posts/p1", { n: 2, profile: { city: "z" }, ownerId: ann.user.id }),
      await ask("POST", "documents/posts", { n: 9, email: "own@example.org" }),
      await ask("PATCH", "documents/posts/p0", { n: 8 }, { "if-match": '"1"' }),
    ];
    t.strictSame(
      written.map(({ status }) => status),
      [200, 200, 200, 201, 412],
    );
    for (const { text } of written) t.notMatch(text, /email|canary/, text);
    const kept = (await app.send("GET", "/v1/documents/posts/p1")).json;
    t.match(
      kept,
      { email: `${CANARY}1`, notes: CANARY, profile: { email: CANARY, city: "z" } },
      "nothing hidden is lost",
    );
    const dropped = await ask("POST", "documents/drop", { text: "x" });
    t.strictSame(Object.keys(dropped.json), ["_id", "_v"]);
    const batch = await ask("POST", "batch", { operations: [{ op: "create", collection: "drop", document: {} }] });
    t.strictSame(Object.keys(batch.json.results[0]), ["id", "v"]);
  });

  t.test("R12 R15 what is hidden stands in no reply, header or line of the log", (t) => {
    const showing = answers.filter(({ text, headers }) => `${text}${JSON.stringify(headers)}`.includes("canary"));
    t.strictSame(
      showing.map(({ text }) => text),
      [],
    );
    t.ok(answers.length > 300, `${answers.length}`);
    t.strictSame(
      lines.filter((line) => line.includes("canary")),
      [],
    );
    t.end();
  });
});
