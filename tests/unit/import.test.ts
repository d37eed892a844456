import t from "tap";
import { GalleyError } from "#protocol/errors";
import type { Principal } from "../../server/access/principal.ts";
import type { DocumentStore } from "../../server/stores/document-store.ts";
import { adminScope, type Services, scopeOf, startServices } from "../support/services.ts";
import { until } from "../support/until.ts";

const admin = adminScope();
const posts = scopeOf("posts");

async function* pieces(text: string | Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size);
}

async function importInto(services: Services, input: string | Uint8Array, { plain = false, size = 65_536 } = {}) {
  const verdicts: { line: number; id?: string; status: string; faults?: { path: string; code: string }[] }[] = [];
  for await (const text of services.collections.import(admin, "posts", pieces(input, size), plain)) {
    verdicts.push(JSON.parse(text));
  }
  return verdicts;
}

const tally = (verdicts: readonly { status: string }[]) =>
  Object.fromEntries(
    ["created", "updated", "unchanged", "refused"].map((one) => [
      one,
      verdicts.filter(({ status }) => status === one).length,
    ]),
  );

t.test("each line gets its verdict, and a bad one harms no other", async (t) => {
  const services = await startServices();
  const { documents, close } = services;
  t.teardown(close);
  const lines: [string | Buffer, string, string?][] = [
    ['\ufeff{"_id":"a","n":1}', "created"],
    ["", "skipped"],
    ['{"_id":"b"', "refused", "line"],
    ["[1]", "refused", "line"],
    ["null", "refused", "line"],
    ['{"_id":"a b"}', "refused", "document._id"],
    ['{"_x":1}', "refused", "document._x"],
    [Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), "refused", "line"],
    ['{"_id":"\\u0062","text":"é\\ud83d\\ude00"}\r', "created"],
    ['{"_id":"c","_v":3,"_createdAt":{"$date":"2001-02-03T04:05:06.007Z"},"_updatedAt":1}', "created"],
    ['{"_id":"d","_createdAt":"yesterday"}', "created"],
    ['{"n":5}', "created"],
    [`{"_id":"big","text":"${"x".repeat(1024 * 1024)}"}`, "refused", "document"],
    [`"${"x".repeat(7 * 1024 * 1024)}"`, "refused", "line"],
    ['{"_id":"a","n":2}', "updated"],
    ['{"_id":"a","n":2}', "unchanged"],
    ['{"_id":"last"}', "created"],
  ];
  const input = Buffer.concat(
    lines.flatMap(([line], i) => [...(i === 0 ? [] : [Buffer.from("\n")]), Buffer.from(line)]),
  );
  const verdicts = await importInto(services, input);
  const expected = lines.flatMap(([, status, path], i) =>
    status === "skipped" ? [] : [{ line: i + 1, status, path }],
  );
  t.same(
    verdicts.map(({ line, status, faults }) => ({ line, status, path: faults?.[0]?.path })),
    expected,
  );
  t.equal((await documents.count(posts, {})).count, 6);
  const c = JSON.parse((await documents.get(posts, "c", {}))?.text ?? "");
  t.equal(c._createdAt.$date, "2001-02-03T04:05:06.007Z");
  t.equal(c._updatedAt.$date, "2026-01-31T10:00:00.000Z");
  t.equal(JSON.parse((await documents.get(posts, "d", {}))?.text ?? "")._createdAt.$date, "2026-01-31T10:00:00.000Z");
  t.same(await importInto(services, ""), []);
});

t.test("a line may come in pieces of any size", async (t) => {
  const services = await startServices();
  t.teardown(services.close);
  const input = Array.from({ length: 40 }, (_, i) => JSON.stringify({ _id: `p${i}`, text: "ü😀" })).join("\n");
  for (const size of [1, 2, 3, 7, 1000]) {
    const found = tally(await importInto(services, input, { size }));
    t.same(found, { created: size === 1 ? 40 : 0, updated: 0, unchanged: size === 1 ? 0 : 40, refused: 0 });
  }
});

t.test("a repeat writes nothing, and what was exported comes back the same", async (t) => {
  const services = await startServices();
  const { collections, documents, store, time, close } = services;
  t.teardown(close);
  const input = Array.from({ length: 1500 }, (_, i) =>
    JSON.stringify({ _id: `p${i}`, n: { $numberLong: `${i}` }, at: { $date: i } }),
  ).join("\n");
  t.match(tally(await importInto(services, input)), { created: 1500 });
  const before = store.position();
  time.now += 1000;
  t.match(tally(await importInto(services, input)), { unchanged: 1500 });
  t.equal(store.position(), before);
  const exported: string[] = [];
  for await (const text of collections.export(admin, "posts", false)) exported.push(text);
  t.equal(exported.length, 1500);
  t.match(tally(await importInto(services, exported.join("\n"))), { unchanged: 1500 });
  t.equal(
    (await documents.get(posts, "p7", {}))?.text,
    exported.find((text) => text.includes('"p7"')),
  );
  const older = input.replace('"_id":"p3"', '"_id":"p3","_createdAt":{"$date":5}');
  t.match(tally(await importInto(services, older)), { unchanged: 1499, updated: 1 });
  const plain: string[] = [];
  for await (const text of collections.export(admin, "posts", true)) plain.push(text);
  t.match(JSON.parse(plain[0] ?? ""), { at: "1970-01-01T00:00:00.000Z", n: "0" });
});

t.test("schema and unique indexes hold row by row; defaults are filled", async (t) => {
  const services = await startServices();
  const { collections, documents, close } = services;
  t.teardown(close);
  const schema = { type: "object", properties: { due: { date: true }, n: { type: "number", default: 7 } } };
  await collections.create(admin, {
    name: "posts",
    schema,
    indexes: [{ paths: ["slug"], unique: true }, { paths: ["a", "b"] }],
  });
  const rows = [
    { _id: "p1", slug: "one" },
    { _id: "p2", slug: "one" },
    { _id: "p3", slug: "three", due: "2026-01-31T00:00:00Z" },
    { _id: "p4", n: "x" },
    { _id: "p5", a: [1], b: [2] },
    { _id: "p6", slug: "six" },
  ];
  const input = rows.map((row) => JSON.stringify(row)).join("\n");
  const strict = await importInto(services, input);
  t.same(
    strict.map(({ status }) => status),
    ["created", "refused", "refused", "refused", "refused", "created"],
  );
  t.match(strict[2]?.faults, [{ path: "document.due", code: "schema" }]);
  t.match(strict[1]?.faults, [{ path: "document" }]);
  const plain = await importInto(services, input, { plain: true });
  t.same(
    plain.map(({ status }) => status),
    ["unchanged", "refused", "created", "refused", "refused", "unchanged"],
  );
  t.match(JSON.parse((await documents.get(posts, "p3", {}))?.text ?? ""), {
    due: { $date: "2026-01-31T00:00:00.000Z" },
    n: 7,
  });
});

t.test("an import beside other writers loses neither", async (t) => {
  const services = await startServices();
  const { documents, close } = services;
  t.teardown(close);
  const input = Array.from({ length: 3000 }, (_, i) => JSON.stringify({ _id: `p${i % 300}`, imported: i })).join("\n");
  const writers = Array.from({ length: 300 }, (_, i) =>
    documents.update(posts, `p${i}`, { $inc: { n: 1 } }, { upsert: true }),
  );
  const verdicts = await importInto(services, input);
  await Promise.all(writers);
  t.equal(verdicts.length, 3000);
  t.equal(verdicts.filter(({ status }) => status === "refused").length, 0);
  t.equal((await documents.count(posts, {})).count, 300);
});

t.test("it holds no more than two groups, however slow its reader is, and stops with the store's error", async (t) => {
  let fail = false;
  const between = (store: DocumentStore): DocumentStore => ({
    ...store,
    commit: (writes) => (fail ? Promise.reject(new Error("gone")) : store.commit(writes)),
  });
  const services = await startServices({ between });
  const { collections, documents, close } = services;
  t.teardown(close);
  await collections.create(admin, { name: "posts" });
  let taken = 0;
  async function* endless() {
    for (;;) {
      taken++;
      yield Buffer.from(`{"_id":"p${taken}"}\n`);
    }
  }
  const verdicts = collections.import(admin, "posts", endless(), false)[Symbol.asyncIterator]();
  for (let i = 0; i < 100; i++) await verdicts.next();
  t.ok(taken <= 1000, `${taken} lines taken for 100 verdicts`);
  fail = true;
  await t.rejects(async () => {
    for (let i = 0; i < 5000; i++) await verdicts.next();
  });
  fail = false;
  t.ok((await documents.count(posts, {})).count >= 500);
});

t.test("a right that goes ends an import before its next commit, and an export before its next page", async (t) => {
  let gone = false;
  const renewed = (principal: Principal) => {
    if (gone) throw new GalleyError("unauthenticated", "this key is no more");
    return principal;
  };
  const services = await startServices({ renewed });
  const { collections, rights, store, close } = services;
  t.teardown(close);
  const take = () => {
    gone = true;
    rights.changed();
  };
  const rows = (from: number) => Array.from({ length: 600 }, (_, n) => `{"_id":"${from + n}"}\n`).join("");
  async function* arriving(): AsyncGenerator<Uint8Array> {
    yield Buffer.from(rows(0));
    // The first group is stored while what follows is waited for.
    await until(async () => (await store.stats("posts"))?.documents === 500);
    take();
    yield Buffer.from(rows(600));
  }
  const importing = async () => {
    for await (const _ of collections.import(admin, "posts", arriving(), false));
  };
  await t.rejects(importing(), { code: "unauthenticated" });
  t.equal((await store.stats("posts"))?.documents, 500, "nothing of what came after");
  gone = false;
  const exported: string[] = [];
  const exporting = async () => {
    for await (const text of collections.export(admin, "posts", false)) {
      exported.push(text);
      if (exported.length === 1) take();
    }
  };
  await t.rejects(exporting(), { code: "unauthenticated" });
  t.equal(exported.length, 100, "the page under way, and none after it");
});
