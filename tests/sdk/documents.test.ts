import { ApiError, createClient, type Defined } from "@galley/sdk";
import fc from "fast-check";
import t from "tap";
import { startApp } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";

interface Person {
  name: string;
  age?: number;
  boss?: string;
  team?: string;
  tags?: string[];
  friends?: string[];
}
interface Schema {
  people: Defined<Person, { refs: { boss: "people"; team: "teams"; friends: "people" } }>;
  teams: { name: string };
  values: Record<string, unknown>;
  numbers: { n: number; group: string; big?: bigint };
  strict: Defined<{ title: string; done: boolean; n?: number }, { defaults: "done" }>;
}

onEachEngine(t, async (t, engine) => {
  const app = await startApp({ engine });
  const db = createClient<Schema>({ url: app.url, serviceKey: app.key });
  t.teardown(() => {
    db.close();
    return app.close();
  });
  for (const [name, schema] of Object.entries({
    people: {
      properties: {
        boss: { type: "string", ref: "people" },
        team: { type: "string", ref: "teams" },
        friends: { type: "array", items: { type: "string", ref: "people" } },
      },
    },
    strict: {
      required: ["title"],
      properties: {
        title: { type: "string", minLength: 1 },
        done: { type: "boolean", default: false },
        n: { type: "number" },
      },
      additionalProperties: false,
    },
  })) {
    const declared = await app.send("POST", "/v1/admin/collections", { body: { name, schema } });
    if (declared.status !== 201) throw new Error(declared.text);
  }

  const people = db.collection("people");
  const numbers = db.collection("numbers");

  t.test("every class of value comes back as it went", async (t) => {
    const values = db.collection("values");
    const key = fc.stringMatching(/^[a-z0-9 ü]{1,6}$/);
    const leaf = fc.oneof(
      fc.constant(null),
      fc.boolean(),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      fc.string({ unit: "binary" }),
      fc.date({ min: new Date(-62_135_596_800_000), max: new Date(253_402_300_799_999), noInvalidDate: true }),
      fc.uint8Array({ maxLength: 40 }),
    );
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: "small", withCrossShrink: true },
        leaf,
        fc.array(tie("value"), { maxLength: 4 }),
        fc.dictionary(key, tie("value"), { maxKeys: 4, noNullPrototype: true }),
      ),
    }));
    await fc.assert(
      fc.asyncProperty(fc.dictionary(key, value, { maxKeys: 5, noNullPrototype: true }), async (document) => {
        const made = await values.create(document);
        const { _id, _v, _createdAt, _updatedAt, ...rest } = made;
        t.strictSame(rest, { ...document });
        t.strictSame(await values.get(_id), made);
        t.ok(typeof _v === "number" && _createdAt instanceof Date && _updatedAt instanceof Date);
        if (!t.passing()) throw new Error("differs");
      }),
      { numRuns: 60 },
    );
  });

  t.test("a document is created, read, replaced, changed and deleted", async (t) => {
    const ada = await people.create({ _id: "ada", name: "Ada" });
    t.equal(ada._id, "ada");
    await t.rejects(people.create({ _id: "ada", name: "Other" }), { code: "already_exists", outcome: "not_applied" });
    t.strictSame(await people.get("ada"), ada);
    t.equal(await people.get("nobody"), null);
    t.strictSame(Object.keys((await people.get("ada", { select: ["name"] })) ?? {}).sort(), ["_id", "_v", "name"]);
    t.strictSame(Object.keys((await people.get("ada", { select: [] })) ?? {}).sort(), ["_id", "_v"]);

    const older = await people.update("ada", { age: 36, tags: ["math"] });
    t.match(older, { name: "Ada", age: 36 });
    t.match(await people.update("ada", { $inc: { age: 1 }, $push: { tags: "logic" } }), {
      age: 37,
      tags: ["math", "logic"],
    });
    await t.rejects(people.update("ada", { age: 1 }, { ifVersion: older._v }), { code: "version_conflict" });
    await t.rejects(people.set("ada", { name: "X" }, { ifVersion: 0 }), { code: "version_conflict" });
    await t.rejects(people.update("nobody", { age: 1 }), { code: "not_found", outcome: "not_applied" });
    t.match(await people.update("eve", { $setOnInsert: { name: "Eve" } }, { upsert: true }), {
      _id: "eve",
      name: "Eve",
    });

    const read = await people.get("ada");
    if (!read) throw new Error("gone");
    const put = await people.set("ada", { ...read, name: "Ada L." }, { ifVersion: read._v });
    t.match(put, { name: "Ada L.", age: 37, _createdAt: read._createdAt });
    t.equal(await people.delete("ada", { ifVersion: put._v }), undefined);
    t.equal(await people.get("ada"), null);
    await t.rejects(people.delete("ada"), { code: "not_found" });
  });

  t.test("pages follow each other without repeats, to the end", async (t) => {
    await db.batch((b) => {
      for (let n = 0; n < 250; n++) b.collection("numbers").create({ n: n % 50, group: n % 2 ? "odd" : "even" });
    });
    const query = numbers.find({ n: { $lt: 40 } }, { sort: "-n", limit: 33 });
    const seen: string[] = [];
    let previous = Infinity;
    for await (const page of query.pages()) {
      t.ok(page.length <= 33);
      for (const { _id, n } of page) {
        t.ok(n <= previous);
        previous = n;
        seen.push(_id);
      }
    }
    t.equal(seen.length, 200);
    t.equal(new Set(seen).size, 200);
    const first = await query.page();
    const second = await query.page(first.next);
    t.strictSame(
      [...first.documents, ...second.documents].map(({ _id }) => _id),
      seen.slice(0, 66),
    );
    t.match(first.position, /^\w+\.[0-9a-f]{16}$/);
    for await (const _ of numbers.find({ n: -1 }).pages()) t.fail("nothing matches");
    await t.rejects(numbers.find({ n: 1 }).page(first.next), { code: "cursor_mismatch" });
  });

  t.test("first, count, distinct and aggregate answer of all that matches", async (t) => {
    await numbers.set("big", { n: 1, group: "big", big: 2n ** 60n + 1n });
    const query = numbers.find({ group: { $in: ["odd", "even"] } }, { sort: ["-n", "_id"], limit: 7 });
    t.match(await query.first(), { n: 49, group: "odd" });
    t.equal(await numbers.find({ n: -1 }).first(), null);
    t.strictSame(await query.count(), { count: 250, more: false });
    t.strictSame(await query.count({ cap: 100 }), { count: 100, more: true });
    t.strictSame(await query.distinct("group"), { values: ["even", "odd"], more: false });
    t.strictSame(await numbers.find().distinct("big"), { values: [2n ** 60n + 1n], more: false });
    const { groups } = await query.aggregate({
      group: ["group"],
      out: { n: { count: true }, top: { max: "n" } },
      sort: "-top",
    });
    t.strictSame(groups, [
      { key: ["odd"], out: { n: 125, top: 49 } },
      { key: ["even"], out: { n: 125, top: 48 } },
    ]);
  });

  t.test("expand brings referred documents along without becoming data", async (t) => {
    // The same ids in both collections: what a reference leads to is not told by its id.
    await db.batch((b) => {
      const [p, teams] = [b.collection("people"), b.collection("teams")];
      for (const id of ["1", "2"]) teams.create({ _id: id, name: `Team ${id}` });
      p.create({ _id: "1", name: "One" });
      p.create({ _id: "2", name: "Two", boss: "1", team: "2", friends: ["1", "gone", "2"] });
      p.create({ _id: "3", name: "Three", boss: "gone" });
    });
    const two = await people.get("2", { expand: ["boss", "friends", "team"] });
    t.equal(two?._expanded.boss?.name, "One");
    t.equal(two?._expanded.team?.name, "Team 2");
    t.strictSame(
      two?._expanded.friends?.map((friend) => friend?.name ?? null),
      ["One", null, "Two"],
    );
    t.notOk(Object.keys(two ?? {}).includes("_expanded"));
    if (two) t.match(await people.set("2", two), { name: "Two", boss: "1" }, "it can be put back");

    const [one, , three] = await people.find(
      { _id: { $in: ["1", "2", "3"] } },
      { select: ["name"], expand: ["team", "boss"] },
    );
    t.strictSame(one?._expanded, { team: null, boss: null });
    t.equal(three?._expanded.boss, null);
    t.notOk(Object.hasOwn(one ?? {}, "friends"));
    t.equal(await people.get("nobody", { expand: ["boss"] }), null);
    const body = await people.find({ name: { $in: ["Two", "x".repeat(1500)] } }, { expand: ["boss"] });
    t.equal(body[0]?._expanded.boss?.name, "One", "also when it is asked by a body");
  });

  t.test("a batch is all or nothing, and its results come in order", async (t) => {
    const results = await db
      .batch((b) => {
        const group = b.collection("teams").create({ name: "New" });
        b.collection("people").create({ _id: "p", name: "P", team: group });
        b.collection("people").update("p", { $set: { age: 1 } });
        b.collection("people").update("q", { name: "Q" }, { upsert: true });
        b.collection("people").delete("3");
        b.collection("people").check("2", { ifVersion: 0 });
      })
      .catch((error) => error);
    t.match(results, { code: "version_conflict", details: { operation: 5 }, outcome: "not_applied" });
    t.equal(await people.get("p"), null);

    const done = await db.batch((b) => {
      b.collection("people").create({ _id: "p", name: "P" });
      b.collection("people").update("p", { $set: { age: 1 } });
      b.collection("people").delete("3");
    });
    t.strictSame(
      done.map(({ id }) => id),
      ["p", "p", "3"],
    );
    t.equal(done[1]?.version, (await people.get("p"))?._v);
    t.equal(done[2]?.version, 0);
    t.strictSame(await db.batch(() => {}), []);
    await t.rejects(
      db.batch(async () => {}),
      { code: "invalid_argument", message: /not async/ },
    );
    await t.rejects(
      db.batch(() => Promise.reject(new Error("lost"))),
      { message: /not async/ },
    );
    await t.rejects(
      db.batch(() => {
        throw new Error("mine");
      }),
      { message: "mine" },
    );
    let late: (() => void) | undefined;
    await db.batch((b) => {
      late = () => b.collection("people").delete("p");
    });
    t.throws(() => late?.(), { code: "failed_precondition" });
  });

  t.test("faults come with their paths, for filters, updates and forms", async (t) => {
    const todos = db.collection("strict");
    const form: unknown = await todos.create({ title: "", n: "x" as never }).catch((error) => error);
    if (!ApiError.is(form, "schema_violation")) throw form;
    t.strictSame(Object.keys(form.fields).sort(), ["n", "title"]);
    t.match(await todos.create({ title: "x" }), { done: false });
    const loose = createClient({ url: app.url, serviceKey: app.key });
    t.teardown(() => loose.close());
    const filter: unknown = await loose
      .collection("numbers")
      .find({ n: { $gte: null } })
      .catch((error) => error);
    t.match(filter, { code: "invalid_argument", message: /^filter\.n\.\$gte: expects/, outcome: undefined });
    await t.rejects(loose.collection("numbers").update("big", { $inc: { n: 1 }, group: "x" }), {
      code: "invalid_argument",
    });
    await t.rejects(loose.collection("numbers").update("big", { $push: { group: 1 } }), { code: "path_conflict" });
    const nobody = createClient({ url: app.url });
    t.teardown(() => nobody.close());
    await t.rejects(nobody.collection("numbers").find(), { code: "permission_denied", status: 403 });
  });
});
