import { type ContractTest, fill, idOf, put, textsOf } from "./fixture.ts";

export const testPoints: ContractTest = async (t, { fresh, capabilities: { parsed } }) => {
  await t.test("gets documents in the order of the ids, undefined where there is none", async (t) => {
    const store = await fresh();
    const [a, b] = [put(store, "a", { text: "first" }), put(store, "b", { text: "second" })];
    await store.commit([a, b]);
    t.strictSame(await textsOf(store, ["b", "x", "a", "b"]), [b.text, undefined, a.text, b.text]);
    t.strictSame(await textsOf(store, []), []);
    const [row] = await store.get("notes", ["a"]);
    t.match(row, { id: "a", version: a.version, text: a.text });
    t.match(row?.value, { _id: "a", _v: a.version, text: "first" });
    t.ok(row?.value._createdAt instanceof Date);
  });

  await t.test("a collection that does not exist is empty", async (t) => {
    const store = await fresh();
    t.strictSame(await textsOf(store, ["a", "b"], "nowhere"), [undefined, undefined]);
  });

  await t.test("keeps every text as it was written", async (t) => {
    const store = await fresh();
    const texts = ["", "\0", "é\u{10ffff}\uffff", "'\"\\\n", "\u2028", "x".repeat(900_000)];
    const writes = texts.map((text, n) => put(store, idOf(n), { text, long: { $numberLong: "9223372036854775807" } }));
    await store.commit(writes);
    t.strictSame(
      await textsOf(
        store,
        writes.map(({ id }) => id),
      ),
      writes.map(({ text }) => text),
    );
    const [row] = await store.get("notes", [idOf(1)]);
    t.equal(row?.value.text, "\0");
    t.equal(row?.value.long, 9223372036854775807n);
  });

  await t.test("tells ids apart by every character they may have", async (t) => {
    const store = await fresh();
    const ids = ["a", "A", "a-", "a.", "a@b:c~_d", "-", "~", "9", "a".repeat(128)];
    await store.commit(ids.map((id) => put(store, id, { own: id })));
    const rows = await store.get("notes", ids);
    t.strictSame(
      rows.map((row) => row?.value.own),
      ids,
    );
  });

  if (parsed)
    await t.test("parses no document that is only handed on", async (t) => {
      const store = await fresh();
      await fill(store, 10, (n) => ({ n }));
      const before = parsed?.(store);
      const rows = await store.get("notes", [idOf(1), idOf(2)]);
      t.equal(parsed?.(store), before);
      t.equal(rows[0]?.value, rows[0]?.value, "parsed once, at first use");
      t.equal(parsed?.(store), (before ?? 0) + 1);
    });

  await t.test("one call sees one state of all its documents", async (t) => {
    const store = await fresh();
    await store.commit([put(store, "a", { n: 0 }), put(store, "b", { n: 0 })]);
    let torn = 0;
    let writing = true;
    const write = async () => {
      for (let n = 1; n <= 50; n++) {
        const [a, b] = await store.get("notes", ["a", "b"]);
        await store.commit([put(store, "a", { n }, a?.version), put(store, "b", { n }, b?.version)]);
      }
      writing = false;
    };
    const read = async () => {
      while (writing) {
        const [a, b] = await store.get("notes", ["a", "b"]);
        if (a?.value.n !== b?.value.n) torn += 1;
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await Promise.all([write(), read()]);
    t.equal(torn, 0);
  });
};
