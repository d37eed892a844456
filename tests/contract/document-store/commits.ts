import type { DocumentStore } from "../../../server/stores/document-store.ts";
import {
  type ContractTest,
  check,
  count,
  fill,
  find,
  findIds,
  idOf,
  put,
  refused,
  remove,
  textsOf,
} from "./fixture.ts";

export const testCommits: ContractTest = async (t, { newPlace, fresh, capabilities: { countsTexts } }) => {
  await t.test("what was confirmed is read at once, and by a store that is opened again", async (t) => {
    const place = await newPlace(t);
    const first = await place.open();
    await first.ensureCollection({ name: "notes", indexes: [{ paths: ["n"] }] });
    const writes = Array.from({ length: 50 }, (_, n) => put(first, idOf(n), { n }));
    await Promise.all(
      writes.map(async (write) => {
        await first.commit([write]);
        t.strictSame(await textsOf(first, [write.id]), [write.text]);
      }),
    );
    await first.commit([remove(idOf(7), writes[7]?.version ?? 0)]);
    await first.close();
    const second = await place.open();
    t.teardown(() => second.close());
    t.equal((await count(second)).count, 49);
    t.strictSame(await textsOf(second, [idOf(7), idOf(8)]), [undefined, writes[8]?.text]);
    t.strictSame(await findIds(second, { filter: { n: { $gte: 47 } }, sort: ["-n"] }), [idOf(49), idOf(48), idOf(47)]);
  });

  await t.test("a commit is applied whole or not at all", async (t) => {
    const store = await fresh([{ paths: ["n"] }]);
    const old = put(store, "old", { n: 1 });
    await store.commit([old]);
    const writes = [put(store, "new", { n: 2 }), remove("old", old.version), put(store, "b", { n: 3 }, 99)];
    await refused(t, store.commit(writes), "version_conflict", { operation: 2, outcome: "not_applied" });
    t.strictSame(await findIds(store), ["old"]);
    t.strictSame(await findIds(store, { filter: { n: { $gt: 0 } } }), ["old"]);
    const bytes = countsTexts ? Buffer.byteLength(old.text) : Number;
    t.match(await store.stats("notes"), { documents: 1, bytes });
  });

  await t.test("every write demands the version it names", async (t) => {
    const store = await fresh();
    const a = put(store, "a");
    await store.commit([a]);
    for (const write of [
      put(store, "a"),
      put(store, "a", {}, a.version - 1),
      put(store, "a", {}, a.version + 1),
      put(store, "none", {}, a.version),
      remove("a", 0),
      remove("a", a.version + 1),
      remove("none", 1),
      check("a", 0),
      check("a", a.version + 1),
      check("none", a.version),
    ]) {
      await refused(t, store.commit([write]), "version_conflict", { operation: 0, outcome: "not_applied" });
    }
    t.strictSame(await textsOf(store, ["a", "none"]), [a.text, undefined]);
    await store.commit([check("a", a.version), check("none", 0), remove("none", 0)]);
    t.strictSame(await textsOf(store, ["a", "none"]), [a.text, undefined]);
    await store.commit([remove("a", a.version)]);
    t.strictSame(await textsOf(store, ["a"]), [undefined]);
  });

  await t.test("a check holds up a commit like a write", async (t) => {
    const store = await fresh();
    const a = put(store, "a");
    await store.commit([a]);
    await refused(t, store.commit([put(store, "b"), check("a", 1)]), "version_conflict", { operation: 1 });
    await store.commit([put(store, "b"), check("a", a.version), check("c", 0)]);
    t.strictSame(await findIds(store), ["a", "b"]);
  });

  await t.test("writes see those before them in their commit", async (t) => {
    const store = await fresh([{ paths: ["n"] }]);
    const first = put(store, "a", { n: 1 });
    const second = put(store, "a", { n: 2 }, first.version);
    await store.commit([first, check("a", first.version), second]);
    t.strictSame(await textsOf(store, ["a"]), [second.text]);
    const again = put(store, "a", { n: 3 });
    await store.commit([remove("a", second.version), again]);
    t.strictSame(await findIds(store, { filter: { n: { $in: [1, 2] } } }), []);
    t.strictSame(await findIds(store, { filter: { n: 3 } }), ["a"]);
  });

  await t.test("writes of several collections are one commit", async (t) => {
    const store = await fresh();
    await store.ensureCollection({ name: "_users", indexes: [] });
    await store.commit([put(store, "a"), put(store, "u", {}, 0, "_users")]);
    const failing = [put(store, "b"), put(store, "u", {}, 0, "_users")];
    await refused(t, store.commit(failing), "version_conflict", { operation: 1 });
    t.strictSame(await findIds(store), ["a"]);
    t.strictSame(await findIds(store, { collection: "_users" }), ["u"]);
  });

  await t.test("commits of one turn share no fate", async (t) => {
    const store = await fresh([{ paths: ["n"] }]);
    const ends = await Promise.allSettled(
      Array.from({ length: 300 }, (_, n) =>
        store.commit([put(store, idOf(n), { n }), ...(n % 3 === 0 ? [check("none", 1)] : [])]),
      ),
    );
    t.strictSame(
      ends.map(({ status }) => status),
      ends.map((_, n) => (n % 3 === 0 ? "rejected" : "fulfilled")),
    );
    const kept = ends.flatMap((_, n) => (n % 3 === 0 ? [] : [idOf(n)]));
    t.strictSame(await findIds(store), kept);
    t.strictSame(await findIds(store, { filter: { n: { $gte: 0 } }, sort: ["n"] }), kept);
    t.match(await store.stats("notes"), { documents: 200 });
  });

  await t.test("a put into a collection that does not exist is refused", async (t) => {
    const store = await fresh();
    const lost = put(store, "a", {}, 0, "nowhere");
    await refused(t, store.commit([put(store, "a"), lost]), "not_found", { operation: 1, outcome: "not_applied" });
    await refused(t, store.commit([check("a", 1, "nowhere")]), "version_conflict", { operation: 0 });
    await store.commit([check("a", 0, "nowhere"), remove("a", 0, "nowhere")]);
    t.strictSame(await findIds(store), []);
  });

  await t.test("50 writers make 1,000 increments by compare and swap, and the end is exact", async (t) => {
    const store = await fresh();
    await store.commit([put(store, "counter", { n: 0 })]);
    await Promise.all(Array.from({ length: 50 }, (_, writer) => increment(store, 20, writer)));
    const [row] = await store.get("notes", ["counter"]);
    t.equal(row?.value.n, 1000);
  });

  await t.test("sizes are kept exactly", async (t) => {
    const store = await fresh();
    await fill(store, 100, (n) => ({ text: "é".repeat(n) }));
    const { rows } = await find(store);
    for (const [n, row] of rows.entries()) {
      if (n % 3 === 0) await store.commit([remove(row.id, row.version)]);
      else if (n % 3 === 1) await store.commit([put(store, row.id, { text: "z".repeat(500 - n) }, row.version)]);
    }
    const left = await find(store);
    const bytes = left.rows.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
    t.match(await store.stats("notes"), { documents: left.rows.length, bytes: countsTexts ? bytes : Number });
    t.equal(await store.stats("nowhere"), undefined);
  });
};

/** Twenty increments a commit, each on the version of the one before it. Who loses a race reads again. */
async function increment(store: DocumentStore, times: number, writer: number): Promise<void> {
  for (let done = 0, lost = 0; done < times; ) {
    const [row] = await store.get("notes", ["counter"]);
    const n = Number(row?.value.n);
    const writes: ReturnType<typeof put>[] = [];
    for (let i = 1; i <= 20; i++)
      writes.push(put(store, "counter", { n: n + i }, writes.at(-1)?.version ?? row?.version));
    try {
      await store.commit(writes);
      done += 20;
    } catch (error) {
      if ((error as { code?: string }).code !== "version_conflict") throw error;
      lost += 1;
      await new Promise((resolve) => setTimeout(resolve, (writer * 7 + lost * 5) % 31));
    }
  }
}
