import { type ContractTest, findIds, idOf, put, refused, remove } from "./fixture.ts";

export const testUniqueness: ContractTest = async (t, { fresh }) => {
  const EMAIL = [{ paths: ["email"], unique: true }];

  await t.test("of 50 parallel creates with one value, one succeeds", async (t) => {
    const store = await fresh(EMAIL);
    const ends = await Promise.allSettled(
      Array.from({ length: 50 }, (_, n) => store.commit([put(store, idOf(n), { email: "one@example.org" })])),
    );
    t.equal(ends.filter(({ status }) => status === "fulfilled").length, 1);
    for (const end of ends) {
      if (end.status === "rejected")
        t.match(end.reason, { code: "unique_violation", details: { outcome: "not_applied" } });
    }
    t.equal((await findIds(store)).length, 1);
  });

  await t.test("a clash names the index and the operation, and leaves nothing", async (t) => {
    const store = await fresh([...EMAIL, { paths: ["team", "-name"], unique: true }]);
    await store.commit([put(store, "a", { email: "x", team: 1, name: "n" })]);
    const [b, c] = [put(store, "b", { email: "y" }), put(store, "c", { team: 1, name: "n" })];
    const details = { operation: 1, index: { paths: ["team", "-name"] }, outcome: "not_applied" };
    await refused(t, store.commit([b, c]), "unique_violation", details);
    t.strictSame(await findIds(store), ["a"]);
    await store.commit([b, put(store, "d", { team: 1, name: "m" }), put(store, "e", { team: 2, name: "n" })]);
    t.strictSame(await findIds(store), ["a", "b", "d", "e"]);
  });

  await t.test("missing is free, null and [] each count once, 1 equals int64 1, arrays by element", async (t) => {
    const rows: [name: string, taken: object, wanted: object, clash: boolean][] = [
      ["both missing", {}, {}, false],
      ["null after missing", {}, { email: null }, false],
      ["two nulls", { email: null }, { email: null }, true],
      ["[] after null", { email: null }, { email: [] }, false],
      ["two []", { email: [] }, { email: [] }, true],
      ["equal texts", { email: "x" }, { email: "x" }, true],
      ["texts by case", { email: "x" }, { email: "X" }, false],
      ["number and text", { email: 1 }, { email: "1" }, false],
      ["number and int64", { email: 1 }, { email: { $numberLong: "1" } }, true],
      ["true and 1", { email: true }, { email: 1 }, false],
      ["an element", { email: ["x", "y"] }, { email: "y" }, true],
      ["elements", { email: ["x", "y"] }, { email: ["z", "x"] }, true],
      ["other elements", { email: ["x", "y"] }, { email: ["z", "w"] }, false],
      ["nested arrays", { email: [["x"]] }, { email: ["x"] }, false],
      ["objects", { email: { a: 1 } }, { email: { a: 1 } }, true],
      ["objects by key order", { email: { a: 1, b: 2 } }, { email: { b: 2, a: 1 } }, false],
    ];
    for (const [name, taken, wanted, clash] of rows) {
      await t.test(name, async (t) => {
        const store = await fresh(EMAIL);
        await store.commit([put(store, "taken", taken)]);
        const commit = store.commit([put(store, "wanted", wanted)]);
        if (clash) await refused(t, commit, "unique_violation", { operation: 0, index: { paths: ["email"] } });
        else await t.resolves(commit);
      });
    }
  });

  await t.test("a document takes part only if it has every path", async (t) => {
    const store = await fresh([{ paths: ["a", "b"], unique: true }]);
    await store.commit([put(store, "x", { a: 1 }), put(store, "y", { a: 1 }), put(store, "z", { b: 2 })]);
    await store.commit([put(store, "p", { a: 1, b: 2 })]);
    await refused(t, store.commit([put(store, "q", { a: 1, b: 2 })]), "unique_violation");
  });

  await t.test("one document may repeat its own value, keep it, and free it", async (t) => {
    const store = await fresh(EMAIL);
    const first = put(store, "a", { email: ["x", "x", "y"] });
    await store.commit([first]);
    const second = put(store, "a", { email: ["y", "x"], other: true }, first.version);
    await store.commit([second]);
    await refused(t, store.commit([put(store, "b", { email: "x" })]), "unique_violation");
    const third = put(store, "a", { email: "y" }, second.version);
    await store.commit([third]);
    await store.commit([put(store, "b", { email: "x" })]);
    await refused(t, store.commit([put(store, "c", { email: "y" })]), "unique_violation");
    await store.commit([remove("a", third.version), put(store, "c", { email: "y" })]);
    t.strictSame(await findIds(store), ["b", "c"]);
  });

  await t.test("a commit that was refused frees and takes nothing", async (t) => {
    const store = await fresh(EMAIL);
    const a = put(store, "a", { email: "x" });
    await store.commit([a]);
    const freeing = [remove("a", a.version), put(store, "b", { email: "y" }), put(store, "c", {}, 7)];
    await refused(t, store.commit(freeing), "version_conflict", { operation: 2 });
    await refused(t, store.commit([put(store, "d", { email: "x" })]), "unique_violation");
    await store.commit([put(store, "d", { email: "y" })]);
    t.strictSame(await findIds(store, { filter: { email: { $in: ["x", "y"] } } }), ["a", "d"]);
  });

  await t.test("a document that an index cannot hold is refused, with the reason", async (t) => {
    const store = await fresh([{ paths: ["a", "b"] }, { paths: ["long"] }]);
    const parallel = { operation: 0, reason: "parallel_arrays", outcome: "not_applied" };
    await refused(t, store.commit([put(store, "x", { a: [1], b: [2] })]), "schema_violation", parallel);
    const long = [put(store, "x", { a: [1], b: 2 }), put(store, "y", { long: "z".repeat(2100) })];
    await refused(t, store.commit(long), "schema_violation", { operation: 1, reason: "index_key_too_long" });
    t.strictSame(await findIds(store), []);
    await store.commit([put(store, "x", { a: [1], b: 2 }), put(store, "y", { long: "z".repeat(2000) })]);
    t.strictSame(await findIds(store), ["x", "y"]);
  });
};
