import type { Commit, DocumentStore, Position } from "../../../server/stores/document-store.ts";
import { type ContractTest, check, find, findIds, idOf, put, refused, remove } from "./fixture.ts";

export const testTails: ContractTest = async (t, { fresh }) => {
  await t.test("tells every commit once, in order and whole, and before it counts as passed", async (t) => {
    const store = await fresh();
    const told: Commit[] = [];
    const tail = store.tail(undefined, (commit) => told.push(commit));
    t.teardown(() => tail.close());
    const positions = await Promise.all(
      Array.from({ length: 200 }, async (_, n) => {
        const position = await store.commit([put(store, idOf(n), { n }), put(store, `x${idOf(n)}`, { n })]);
        await store.passed(position);
        if (!told.some((commit) => commit.position === position)) t.fail(`${position} was not told before`);
        return position;
      }),
    );
    t.strictSame(
      told.map(({ position }) => position),
      [...positions].sort(),
    );
    t.equal(new Set(positions).size, 200, "one commit is one position");
    t.ok(told.every(({ changes }) => changes.length === 2));
    t.ok(positions.every((position) => position <= tail.position));
    const [row] = told[0]?.changes ?? [];
    t.equal(row?.next?.text, (await store.get("notes", [row?.id ?? ""]))[0]?.text);
    t.match(row?.next?.value, { _id: row?.id });
  });

  await t.test("tells the last state of each document, and nothing that left no trace", async (t) => {
    const store = await fresh();
    const old = put(store, "old", { n: 1 });
    await store.commit([old, put(store, "kept")]);
    const told: Commit[] = [];
    const tail = store.tail(undefined, (commit) => told.push(commit));
    t.teardown(() => tail.close());
    const made = put(store, "made", { n: 1 });
    const changed = put(store, "made", { n: 2 }, made.version);
    const gone = put(store, "gone");
    await store.commit([made, gone, changed, remove("old", old.version), remove("gone", gone.version), check("x", 0)]);
    await allTold(store);
    t.equal(told.length, 1);
    t.strictSame(
      told[0]?.changes.map(({ collection, id, next }) => [collection, id, next?.text]),
      [
        ["notes", "made", changed.text],
        ["notes", "old", undefined],
      ],
    );
    const before = store.position();
    await store.commit([check("made", changed.version), remove("none", 0)]);
    await store.commit([]);
    await refused(t, store.commit([put(store, "made")]), "version_conflict");
    await allTold(store);
    t.equal(told.length, 1, "what changes nothing is told to nobody");
    t.ok(store.position() >= before);
  });

  await t.test("starts after any position that is kept", async (t) => {
    const store = await fresh();
    const positions: Position[] = [];
    for (let n = 0; n < 20; n++) positions.push(await store.commit([put(store, idOf(n))]));
    for (const from of [0, 10, 19]) {
      const told: Commit[] = [];
      const tail = store.tail(positions[from], (commit) => told.push(commit));
      const last = await store.commit([put(store, `after${from}`)]);
      await store.passed(last);
      t.strictSame(
        told.map(({ position }) => position),
        [...positions.slice(from + 1), last],
      );
      positions.push(last);
      tail.close();
    }
  });

  await t.test("refuses a position of another history", async (t) => {
    const store = await fresh();
    await store.commit([put(store, "a")]);
    const foreign = store.position().replace(/^[^.]*/, "elsewhere") as Position;
    for (const from of [foreign, "nonsense" as Position, "" as Position]) {
      t.throws(() => store.tail(from, () => undefined), {
        code: "failed_precondition",
        details: { reason: "history_lost" },
      });
    }
  });

  await t.test("tells nothing after it was closed, to anybody else no less", async (t) => {
    const store = await fresh();
    const told: string[] = [];
    const first = store.tail(undefined, () => told.push("first"));
    const second = store.tail(undefined, () => told.push("second"));
    await store.passed(await store.commit([put(store, "a")]));
    first.close();
    await store.passed(await store.commit([put(store, "b")]));
    second.close();
    await store.passed(await store.commit([put(store, "c")]));
    t.strictSame(told, ["first", "second", "second"]);
  });

  await t.test("tells that a collection was dropped, in the same order", async (t) => {
    const store = await fresh();
    const told: Commit[] = [];
    const tail = store.tail(undefined, (commit) => told.push(commit));
    t.teardown(() => tail.close());
    const before = await store.commit([put(store, "a")]);
    const dropped = await store.dropCollection("notes");
    await store.passed(dropped);
    t.strictSame(
      told.map(({ position }) => position),
      [before, dropped],
    );
    t.strictSame(told[1]?.dropped, ["notes"]);
    t.equal(told[1]?.changes.length, 0);
    await store.dropCollection("notes");
    await allTold(store);
    t.equal(told.length, 2, "dropping nothing is no commit");
  });

  await t.test("a position is passed though nothing follows it, and a barrier stands for all nodes", async (t) => {
    const store = await fresh();
    const write = put(store, "a");
    await store.commit([write]);
    await store.commit([check("a", write.version)]);
    const { position } = await find(store);
    const told: Position[] = [];
    const tail = store.tail(undefined, ({ position }) => told.push(position));
    t.teardown(() => tail.close());
    await store.passed(position);
    await store.barrier(position);
    const next = await store.commit([put(store, "b")]);
    await store.barrier(next);
    t.strictSame(told, [next], "it is told before the barrier opens");
    t.ok(store.nodes.lives(store.nodes.self));
    t.notOk(store.nodes.lives("nobody"));
    const foreign = position.replace(/^[^.]*/, "elsewhere") as Position;
    await refused(t, store.passed(foreign), "unavailable", { outcome: "unknown" });
  });

  await t.test("a barrier waits for commits that began before it was told", async (t) => {
    const store = await fresh();
    const ids = Array.from({ length: 20 }, (_, n) => idOf(n));
    const first = store.commit([put(store, "a")]);
    // In another group than the first, and of some size.
    await new Promise(setImmediate);
    const others = Promise.all(ids.map((id) => store.commit([put(store, id, { text: "x".repeat(10_000) })])));
    await store.barrier(await first);
    t.notOk((await store.get("notes", ids)).includes(undefined), "what began before is stored and can be read");
    await others;
  });

  await t.test("a page's position is where the fold of the tail equals the page", async (t) => {
    const store = await fresh([{ paths: ["n"] }]);
    const states: [Position, Map<string, string>][] = [[store.position(), new Map()]];
    let state = new Map<string, string>();
    const tail = store.tail(undefined, ({ position, changes }) => {
      state = new Map(state);
      for (const { id, next } of changes) {
        if (next) state.set(id, next.text);
        else state.delete(id);
      }
      states.push([position, state]);
    });
    t.teardown(() => tail.close());
    let writing = 6;
    const pages: { position: Position; texts: string[] }[] = [];
    await Promise.all([
      ...Array.from({ length: 6 }, async (_, writer) => {
        await churn(store, writer, 25);
        writing -= 1;
      }),
      ...[["n"], ["_id"]].map(async (sort) => {
        while (writing > 0) {
          const { position, rows } = await find(store, { sort });
          pages.push({ position, texts: rows.map(({ text }) => text).sort() });
          await new Promise((resolve) => setImmediate(resolve));
        }
      }),
    ]);
    await allTold(store);
    t.ok(pages.length > 10);
    for (const { position, texts } of pages) {
      const [, stateThen] = states.findLast(([at]) => at <= position) ?? [];
      t.strictSame(texts, [...(stateThen?.values() ?? ["no such position"])].sort());
    }
    t.strictSame((await findIds(store)).sort(), [...state.keys()].sort());
  });
};

/** Waits until everything that was committed so far has been told. */
function allTold(store: DocumentStore): Promise<void> {
  return store.passed(store.position());
}

/** Creates, changes and removes documents of its own and some that others touch too. */
async function churn(store: DocumentStore, writer: number, times: number): Promise<void> {
  for (let n = 0; n < times; n++) {
    const ids = [`own${writer}-${n % 7}`, `shared${n % 3}`];
    const rows = await store.get("notes", ids);
    const writes = ids.map((id, i) => {
      const version = rows[i]?.version ?? 0;
      return n % 5 === 4 ? remove(id, version) : put(store, id, { n: n * 10 + writer }, version);
    });
    await store.commit(writes).catch((error) => {
      if (error.code !== "version_conflict") throw error;
    });
  }
}
