import t from "tap";
import { COMMITS, RECORD_LIFE } from "../../server/documents/idempotency.ts";
import { sweepExpired } from "../../server/stores/expired.ts";
import { pagesOf } from "../../server/stores/pages.ts";
import { CLOSED, keyed, type Services, scopeOf, startServices } from "../support/services.ts";

const posts = scopeOf("posts");

async function records({ store }: Services): Promise<number> {
  let count = 0;
  for await (const { rows } of pagesOf(store, COMMITS, 1000)) count += rows.length;
  return count;
}

t.test("20 parallel requests with one key have one effect and one answer", async (t) => {
  const services = await startServices();
  const { documents, close } = services;
  t.teardown(close);
  const once = { idempotency: keyed("once", { n: 1 }) };
  const replies = await Promise.all(Array.from({ length: 20 }, () => documents.create(posts, { n: 1 }, once)));
  t.equal(
    new Set(replies.map(({ text, id, version, created }) => JSON.stringify([text, id, version, created]))).size,
    1,
  );
  t.equal((await documents.count(posts, {})).count, 1);
  t.equal(await records(services), 1);

  await documents.create(posts, { _id: "c", n: 0 }, {});
  const increment = { idempotency: keyed("inc", { $inc: { n: 1 } }, "PATCH /v1/documents/posts/c") };
  const others = Array.from({ length: 20 }, () => documents.update(posts, "c", { $inc: { n: 1 } }, {}));
  const same = Array.from({ length: 20 }, () => documents.update(posts, "c", { $inc: { n: 1 } }, increment));
  await Promise.all(others);
  t.equal(new Set((await Promise.all(same)).map(({ text }) => text)).size, 1);
  t.match(JSON.parse((await documents.get(posts, "c", {}))?.text ?? ""), { n: 21 });
});

t.test("a replay gives the first answer whatever happened since, at a position that shows the effect", async (t) => {
  const { documents, close } = await startServices();
  t.teardown(close);
  const write = { idempotency: keyed("k") };
  const first = await documents.set(posts, "p1", { deep: [[{ a: '\u2028"' }]], n: { $numberLong: "1" } }, write);
  await documents.delete(posts, "p1", {});
  const again = await documents.set(posts, "p1", {}, write);
  t.same({ ...again, position: first.position }, first);
  t.ok(again.position >= first.position);
  t.equal(await documents.get(posts, "p1", {}), undefined, "and writes nothing");

  const removal = { idempotency: keyed("d", {}, "DELETE /v1/documents/posts/p2") };
  await documents.create(posts, { _id: "p2" }, {});
  await documents.delete(posts, "p2", removal);
  t.equal((await documents.delete(posts, "p2", removal)).text, "");
  const plain = await documents.set(posts, "p3", { n: { $numberLong: "1" } }, { idempotency: keyed("p"), plain: true });
  t.same((await documents.set(posts, "p3", {}, { idempotency: keyed("p"), plain: true })).text, plain.text);
});

t.test("a key is bound to its body, its route and its principal", async (t) => {
  const { documents, close } = await startServices();
  t.teardown(close);
  await documents.create(posts, { _id: "p1" }, { idempotency: keyed("k", { a: 1 }) });
  const mismatch = { code: "idempotency_mismatch", details: { outcome: "not_applied" } };
  await t.rejects(documents.create(posts, { _id: "p2" }, { idempotency: keyed("k", { a: 2 }) }), mismatch);
  await t.rejects(
    documents.create(posts, {}, { idempotency: keyed("k", { a: 1 }, "POST /v1/documents/other") }),
    mismatch,
  );
  const other = await documents.create(
    scopeOf("posts", ["*"], "k2"),
    { _id: "mine" },
    { idempotency: keyed("k", { a: 1 }) },
  );
  t.equal(other.id, "mine", "another key's request is its own");
  for (const key of ["", "a b", "ü", "x".repeat(256)]) {
    await t.rejects(documents.create(posts, {}, { idempotency: keyed(key) }), { code: "invalid_argument" });
  }
});

t.test("rights are judged again at a replay", async (t) => {
  const { documents, close } = await startServices();
  t.teardown(close);
  const request = { idempotency: keyed("k") };
  await documents.create(posts, { _id: "p1", secret: "canary" }, request);
  await t.rejects(documents.create(scopeOf("posts", ["documents:posts:get"]), {}, request), {
    code: "permission_denied",
  });
  const writer = await documents.create(scopeOf("posts", ["documents:posts:create"]), {}, request);
  t.same(Object.keys(JSON.parse(writer.text)), ["_id", "_v"], "nothing that may not be read today");
  const anonymous = CLOSED.scope({ kind: "anonymous", address: "192.0.2.1" }, "posts");
  await t.rejects(documents.create(anonymous, {}, request), { code: "permission_denied" });
  const batch = { operations: [{ op: "create", collection: "posts", id: "b1", document: {} }] };
  await documents.batch(() => posts, batch, { idempotency: keyed("b") });
  const reader = scopeOf("posts", ["documents:posts:get"]);
  await t.rejects(
    documents.batch(() => reader, batch, { idempotency: keyed("b") }),
    { code: "permission_denied" },
  );
});

t.test("a write that failed leaves no record and is judged afresh", async (t) => {
  const services = await startServices();
  const { documents, close } = services;
  t.teardown(close);
  const request = { idempotency: keyed("k") };
  await t.rejects(documents.update(posts, "p1", { a: 1 }, request), { code: "not_found" });
  t.equal(await records(services), 0);
  await documents.create(posts, { _id: "p1" }, {});
  t.match(JSON.parse((await documents.update(posts, "p1", { a: 1 }, request)).text), { a: 1 });
  const unchanged = await documents.update(posts, "p1", { a: 1 }, { idempotency: keyed("same") });
  await documents.update(posts, "p1", { a: 2 }, {});
  const replayed = await documents.update(posts, "p1", { a: 1 }, { idempotency: keyed("same") });
  t.equal(replayed.text, unchanged.text, "a write that changed nothing is recorded too");
});

t.test("a keyed batch has its effect once", async (t) => {
  const { documents, close } = await startServices();
  t.teardown(close);
  await documents.create(posts, { _id: "p1", n: 0 }, {});
  const body = () => ({
    operations: [
      { op: "update", collection: "posts", id: "p1", update: { $inc: { n: 1 } } },
      { op: "create", collection: "posts", document: {} },
    ],
  });
  const request = { idempotency: keyed("b") };
  const replies = await Promise.all(Array.from({ length: 20 }, () => documents.batch(() => posts, body(), request)));
  t.equal(new Set(replies.map(({ results }) => JSON.stringify(results))).size, 1);
  t.equal((await documents.count(posts, {})).count, 2);
});

t.test("a day later the key is free again, and the sweep removes what is over", async (t) => {
  const services = await startServices();
  const { documents, store, clock, time, close } = services;
  t.teardown(close);
  for (let i = 0; i < 3; i++) await documents.create(posts, {}, { idempotency: keyed(`k${i}`) });
  time.now += RECORD_LIFE - 1;
  t.equal(await sweepExpired({ store, clock, collections: [COMMITS] }), 0);
  await t.rejects(documents.create(posts, {}, { idempotency: keyed("k0", { other: 1 }) }), {
    code: "idempotency_mismatch",
  });
  time.now += 1;
  await documents.create(posts, {}, { idempotency: keyed("k0", { other: 1 }) });
  t.equal((await documents.count(posts, {})).count, 4);
  time.now += 1;
  t.equal(await sweepExpired({ store, clock, collections: [COMMITS] }), 2);
  t.equal(await records(services), 1);
});
