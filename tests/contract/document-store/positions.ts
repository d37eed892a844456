import type { DocumentStore, Position, Tail } from "../../../server/stores/document-store.ts";
import { type ContractTest, fill, filterOf, find, findIds, idOf, PLENTY, put, refused, remove } from "./fixture.ts";

const LOST = { reason: "history_lost" };

/** Reads at a position: the law that lets a window join its rows to the tail (live-queries.md 4.3). */
export const testPositions: ContractTest = async (t, { fresh, capabilities: { readsInProcess } }) => {
  await t.test("a read at a position is of a state that it names, with writers under way", async (t) => {
    const store = await fresh([{ paths: ["n"] }]);
    const followed = follow(store);
    const { states, tail } = followed;
    t.teardown(() => tail.close());
    const faults: string[] = [];
    const seen: { at: Position; position: Position; read: string; kind: Kind }[] = [];
    let writing = 5;
    const writers = Array.from({ length: 5 }, async (_, writer) => {
      for (let n = 0; n < 25; n++) await change(store, writer, n);
      writing -= 1;
    });
    const readers = Array.from({ length: 2 }, async (_, reader) => {
      for (let n = 0; writing > 0; n++) {
        // Mostly where the tail stands; sometimes earlier, and sometimes a commit that the tail may not have told yet.
        const earlier = states.at(-1 - (n % 20))?.position ?? tail.position;
        const at = n % 3 === 0 ? earlier : n % 7 === 0 ? store.position() : tail.position;
        const kind = KINDS[(n + reader) % KINDS.length] as Kind;
        const { position, read } = await readAt(store, kind, at);
        seen.push({ at, position, read, kind });
        // Without this, reads that are answered in their own turn would let no writer run.
        await new Promise(setImmediate);
      }
    });
    await Promise.all([...writers, ...readers]);
    await store.passed(store.position());
    for (const { at, position, read, kind } of seen) {
      if (position < at) faults.push(`${kind} at ${at} is of ${position}`);
      const then = states.findLast((state) => state.position <= position);
      const expected = expectedOf(then?.documents ?? new Map(), kind);
      if (read !== expected) faults.push(`${kind} at ${at}, of ${position}: ${read} and not ${expected}`);
    }
    t.strictSame(faults.slice(0, 3), []);
    t.ok(seen.length >= 60, `${seen.length} reads`);
    t.equal(new Set(seen.map(({ kind }) => kind)).size, KINDS.length);
  });

  await t.test("the tail comes to the position of a read though nothing follows", async (t) => {
    const store = await fresh();
    await store.commit([put(store, "a")]);
    const tail = store.tail(undefined, () => undefined);
    t.teardown(() => tail.close());
    for (const ask of [{}, { collection: "nowhere" }, { filter: { n: { $in: [] } } }, { filter: { _id: "none" } }]) {
      const at = tail.position;
      const { position } = await find(store, { ...ask, at });
      t.ok(position >= at);
      await store.passed(position);
      t.ok(tail.position >= position);
    }
    t.ok(store.nodes.inTouch);
    t.ok(store.nodes.lag >= 0 && store.nodes.lag < 4000);
  });

  await t.test("a collection that was made, dropped or made anew since is read as it was or is", async (t) => {
    const store = await fresh();
    const followed = follow(store, "young");
    const { states, tail } = followed;
    t.teardown(() => tail.close());
    const check = async (at: Position, title: string) => {
      const { position, rows } = await find(store, { collection: "young", at });
      await store.passed(position);
      const then = states.findLast((state) => state.position <= position)?.documents ?? new Map();
      t.ok(position >= at, title);
      t.strictSame(new Map(rows.map(({ id, text }) => [id, text])), then, title);
    };
    const young = (id: string) => put(store, id, {}, 0, "young");
    const before = tail.position;
    await check(before, "there is none");
    await store.ensureCollection({ name: "young", indexes: [{ paths: ["n"] }] });
    await check(before, "it is younger than the position, and empty");
    const made = await store.commit([young("a")]);
    await check(before, "it is younger than the position");
    await check(made, "it was there");
    await Promise.all([store.dropCollection("young"), check(made, "it is being dropped")]);
    await check(made, "it is gone");
    await store.ensureCollection({ name: "young", indexes: [] });
    const again = await store.commit([young("b")]);
    for (const at of [before, made, again]) await check(at, "it was made anew");
    await store.dropCollection("young");
  });

  await t.test("reads at a position cost no more than they may, and give all that others do", async (t) => {
    const store = await fresh([{ paths: ["n"] }]);
    await fill(store, 300, (n) => ({ n, text: "x".repeat(100) }));
    const at = store.position();
    const page = await find(store, { sort: ["-n"], limit: 3, at });
    t.strictSame([page.rows.map(({ id }) => id), page.more], [[299, 298, 297].map(idOf), true]);
    const rest = await find(store, { sort: ["n"], after: [290, idOf(290)], at });
    t.strictSame([rest.rows.length, rest.more], [9, false]);
    const few = { ...PLENTY, candidates: 100 };
    await refused(t, find(store, { filter: { text: "y" }, budget: few, at }), "index_required");
    await refused(t, find(store, { budget: { ...PLENTY, characters: 1000 }, at }), "payload_too_large");
    const gone = { ...PLENTY, signal: { aborted: true } };
    await refused(t, find(store, { filter: { text: "y" }, budget: gone, at }), "timeout");
  });

  await t.test("refuses a position of another history, or one that nobody was given", async (t) => {
    const store = await fresh();
    await store.commit([put(store, "a")]);
    const [history] = store.position().split(".");
    const other = store.position().replace(/^[^.]*/, "elsewhere") as Position;
    for (const at of [other, "nonsense", "", `${history}.0`] as Position[]) {
      await refused(t, find(store, { at }), "failed_precondition", LOST);
      await refused(
        t,
        store.count({ collection: "notes", filter: filterOf({}), cap: 1, budget: PLENTY, at }),
        "failed_precondition",
        LOST,
      );
    }
    const ahead = `${history}.ffffffffffffff00` as Position;
    const soon = { ...PLENTY, milliseconds: 30 };
    await refused(t, find(store, { at: ahead, budget: soon }), "unavailable");
  });

  // Where reads run elsewhere, what they wait for are connections, which that engine's own test counts.
  if (readsInProcess)
    await t.test("waits for no question without a position", async (t) => {
      const store = await fresh();
      await fill(store, 500, (n) => ({ n, text: "x".repeat(200) }));
      const ends: string[] = [];
      const slow = Array.from({ length: 24 }, () =>
        find(store, { filter: { text: { $ne: "y" } }, limit: 500 }).then(() => ends.push("slow")),
      );
      const live = find(store, { filter: { text: { $ne: "y" } }, limit: 500, at: store.position() }).then(() => {
        ends.push("live");
      });
      await Promise.all([...slow, live]);
      t.ok(ends.indexOf("live") < 20, "it was not the last one in a line");
    });

  await t.test("listeners are told in the order in which they came, in one turn", async (t) => {
    const store = await fresh();
    const told: string[] = [];
    const tails = ["rights", "windows", "more"].map((name) =>
      store.tail(undefined, ({ changes }) => {
        told.push(`${name} ${changes[0]?.id}`);
        queueMicrotask(() => told.push(`after ${changes[0]?.id}`));
      }),
    );
    t.teardown(() => {
      for (const tail of tails) tail.close();
    });
    for (const id of ["a", "b"]) await store.passed(await store.commit([put(store, id)]));
    const order = (id: string) => [
      ...["rights", "windows", "more"].map((name) => `${name} ${id}`),
      ...Array(3).fill(`after ${id}`),
    ];
    t.strictSame(told, [...order("a"), ...order("b")]);
    t.strictSame(await findIds(store), ["a", "b"]);
  });
};

const KINDS = ["all", "sorted", "count", "distinct", "aggregate"] as const;
type Kind = (typeof KINDS)[number];

/** The documents that are stored from a position on, by id. */
type State = { readonly position: Position; readonly documents: ReadonlyMap<string, string> };

/** Reads `notes` at a position, one way or the other; what was read as a text. */
async function readAt(store: DocumentStore, kind: Kind, at: Position): Promise<{ position: Position; read: string }> {
  const query = { collection: "notes", filter: filterOf({}), budget: PLENTY, at };
  switch (kind) {
    case "all":
    case "sorted": {
      const { position, rows } = await find(store, { at, ...(kind === "sorted" && { sort: ["n"] }) });
      return { position, read: JSON.stringify(rows.map(({ id, text }) => [id, text]).sort()) };
    }
    case "count": {
      const { position, count } = await store.count({ ...query, cap: 1000 });
      return { position, read: String(count) };
    }
    case "distinct": {
      const { position, values } = await store.distinct({ ...query, path: ["n"] });
      return { position, read: JSON.stringify(values) };
    }
    case "aggregate": {
      const out = [{ name: "sum", op: "sum", path: ["n"] } as const];
      const { position, groups } = await store.aggregate({
        ...query,
        aggregate: { group: [], out, sort: [], limit: 1 },
      });
      return { position, read: JSON.stringify(groups[0]?.out.sum) };
    }
  }
}

/** What the same read says of documents at hand. */
function expectedOf(documents: State["documents"], kind: Kind): string {
  const numbers = [...documents.values()].map((text) => Number(JSON.parse(text).n));
  switch (kind) {
    case "all":
    case "sorted":
      return JSON.stringify([...documents].sort());
    case "count":
      return String(documents.size);
    case "distinct":
      return JSON.stringify([...new Set(numbers)].sort((a, b) => a - b));
    case "aggregate":
      return JSON.stringify(numbers.reduce((sum, n) => sum + n, 0));
  }
}

/** Folds the commits of one collection, and keeps every state. */
function follow(store: DocumentStore, collection = "notes"): { states: State[]; tail: Tail } {
  let documents = new Map<string, string>();
  const states: State[] = [{ position: store.position(), documents }];
  const tail = store.tail(undefined, ({ position, changes, dropped = [] }) => {
    documents = new Map(dropped.includes(collection) ? [] : documents);
    for (const change of changes) {
      if (change.collection !== collection) continue;
      if (change.next) documents.set(change.id, change.next.text);
      else documents.delete(change.id);
    }
    states.push({ position, documents });
  });
  return { states, tail };
}

/** One commit of a writer: two documents, one of which others write too; now and then it makes a new one or removes some. */
async function change(store: DocumentStore, writer: number, n: number): Promise<void> {
  const ids = [`own${writer}-${n % 5}`, `shared${n % 3}`];
  const rows = await store.get("notes", ids);
  const writes = ids.map((id, i) => {
    const version = rows[i]?.version ?? 0;
    return n % 6 === 5 ? remove(id, version) : put(store, id, { n: n * 10 + writer }, version);
  });
  await store.commit(n % 4 === 0 ? writes.slice(0, 1) : writes).catch((error) => {
    if (error.code !== "version_conflict") throw error;
  });
}
