/** Windows on real stores: random writers of two nodes, many questions, and every viewer's fold is what is stored. */
import { randomBytes } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import t, { type Test } from "tap";
import { GalleyError } from "#protocol/errors";
import type { LiveQuery } from "#protocol/frames";
import { encodeValue } from "#protocol/values";
import { createLiveQuestions } from "../../server/documents/live-questions.ts";
import type { Log } from "../../server/log.ts";
import type { ListQuestion } from "../../server/realtime/contract.ts";
import { createLiveTail } from "../../server/realtime/live-tail.ts";
import { createWindows } from "../../server/realtime/windows/windows.ts";
import type { DocumentStore, Row, Write } from "../../server/stores/document-store.ts";
import { type Engine, onEachEngine } from "../support/engines.ts";
import { FoldingViewer } from "../support/folding-viewer.ts";
import { startLiveNode } from "../support/live-node.ts";
import { rowsOf } from "../support/scripted-store.ts";
import { chooseSeed, pick, type Random, seeded } from "../support/seeded.ts";
import { scopeOf } from "../support/services.ts";
import { openTwoStores } from "../support/two-stores.ts";
import { until } from "../support/until.ts";

const POSTS = "posts";
const WRITERS = 4;
const COMMITS = 80;
/** Room for some of the texts, so that others have to be read. */
const TEXTS = 12_000;
const LOG: Log = { debug() {}, info() {}, warn() {}, error() {} };
const TAGS = ["red", "green", "blue"];

const FINDS: readonly object[] = [
  { sort: ["n"], limit: 5 },
  { sort: ["-n"], limit: 3, select: ["n"] },
  { filter: { tag: "red" }, sort: ["-_updatedAt"], limit: 10 },
  { filter: { tag: { $in: ["red", "blue"] }, n: { $gte: 40 } }, sort: ["n"], limit: 4 },
  { filter: { n: { $lt: 30 } }, sort: ["tag", "-n"], limit: 1000 },
  { filter: { tag: { $ne: "green" } }, limit: 2 },
  { filter: { $or: [{ n: 7 }, { tag: "blue" }] }, sort: ["n", "tag"], limit: 6 },
  { filter: { list: 3 }, sort: ["list"], limit: 5 },
];
const QUERIES: readonly LiveQuery[] = [
  ...FINDS.map((find) => ({ collection: POSTS, find })),
  { collection: POSTS, get: { ids: ["w0-1", "w1-2", "w2-3", "w3-4", "never"] } },
];

/** Writes batches at random, some of which a unique value refuses. Its ids are its own, so it knows every version. */
async function write(store: DocumentStore, name: string, random: Random, after: () => Promise<void>): Promise<void> {
  const versions = new Map<string, number>();
  for (let i = 0; i < COMMITS; i++) {
    const ids = new Set(Array.from({ length: random() < 0.7 ? 1 : 5 }, () => `${name}-${Math.floor(random() * 25)}`));
    const writes = [...ids].map((id): Write => {
      const expect = versions.get(id) ?? 0;
      if (expect > 0 && random() < 0.35) return { kind: "delete", collection: POSTS, id, expect };
      const version = store.nextVersion(expect);
      const time = new Date();
      const list = Array.from({ length: Math.floor(random() * 3) }, () => Math.floor(random() * 5));
      const fields = { n: Math.floor(random() * 80), tag: pick(random, TAGS), list };
      const slug = random() < 0.1 ? { slug: Math.floor(random() * 10) } : { slug: id };
      const text = encodeValue({ _id: id, _v: version, _createdAt: time, _updatedAt: time, ...fields, ...slug });
      return { kind: "put", collection: POSTS, id, expect, version, text };
    });
    try {
      await store.commit(writes);
      for (const written of writes) {
        if (written.kind === "put") versions.set(written.id, written.version);
        else versions.delete(written.id);
      }
    } catch (error) {
      if (!(error instanceof GalleyError) || error.code !== "unique_violation") throw error;
    }
    if (random() < 0.3) await after();
  }
}

async function open(t: Test, engine: Engine) {
  const [store, other] = await openTwoStores(t, engine);
  await store.ensureCollection({ name: POSTS, indexes: [{ paths: ["n"] }, { paths: ["slug"], unique: true }] });
  // What is stored, as commits tell it: told first, so it is always where the windows are.
  const stored = new Map<string, Row>();
  const ledger = store.tail(undefined, ({ changes, dropped = [] }) => {
    for (const { collection, id, next } of changes) {
      if (collection !== POSTS) continue;
      if (next) stored.set(id, next);
      else stored.delete(id);
    }
    if (dropped.includes(POSTS)) stored.clear();
  });
  const tail = createLiveTail(store, LOG);
  const limits = { refill: 5, texts: TEXTS, value: 50, values: 20, linger: 20 };
  const windows = createWindows({ store, tail, log: LOG, random: randomBytes, limits });
  const questions = createLiveQuestions({
    ...{ store, definitions: { get: () => undefined }, secrets: ["a secret for tests"], development: false },
  });
  t.teardown(() => {
    windows.close();
    tail.close();
    ledger.close();
  });
  await until(() => store.nodes.lag < 1000, 20, "that the node keeps up");
  const join = (query: LiveQuery) => {
    const question = questions.parse(query).bind(scopeOf(query.collection));
    return new FoldingViewer(windows, question, () => tail.position);
  };
  return { store, other, stored, tail, windows, join };
}

/** What is wrong with what somebody shows, in words. */
function wrong(
  rows: readonly Row[],
  { question, ...viewer }: Pick<FoldingViewer, "question" | "rows" | "short" | "faults">,
) {
  if (viewer.faults.length > 0) return viewer.faults.join("; ");
  if (!viewer.rows) return undefined;
  const { limit, show } = question as ListQuestion;
  const result = rows.slice(0, limit);
  const shown = viewer.rows.map(({ _id, _v }) => `${_id} ${_v}`);
  const expected = (viewer.short ? result.slice(0, shown.length) : result).map(({ id, version }) => `${id} ${version}`);
  if (shown.join() !== expected.join()) return `${question.identity} shows ${shown}, stored is ${expected}`;
  const odd = viewer.rows.find((row, i) => !isDeepStrictEqual(row, JSON.parse(show(result[i] as Row))));
  return odd && `${odd._id} looks odd`;
}

onEachEngine(t, (t, engine) => {
  t.test("every fold is what is stored where it stands, however texts come and go", async (t) => {
    const seed = chooseSeed();
    t.comment(`seed ${seed}`);
    const { store, other, stored, tail, windows, join } = await open(t, engine);
    const random = seeded(seed);
    const viewers = new Set(QUERIES.map(join));
    const counted = join({ collection: POSTS, count: { filter: { tag: "red" } } });
    const faults: string[] = [];
    let flushes = 0;
    let churning = true;
    let compared = 0;
    const look = () => {
      for (const viewer of viewers) {
        const fault = wrong(rowsOf(stored, viewer.question as ListQuestion), viewer);
        if (fault !== undefined && faults.length < 3) faults.push(fault);
        if (viewer.rows) compared++;
      }
    };
    const churn = () => {
      const leaving = pick(random, [...viewers]);
      try {
        viewers.add(join(pick(random, QUERIES)));
        viewers.delete(leaving);
        leaving.leave();
      } catch (error) {
        // A node that cannot keep up takes on nobody.
        if (!(error instanceof GalleyError) || error.code !== "unavailable") throw error;
      }
    };
    tail.follow("sessions", {
      flush() {
        flushes++;
        look();
        if (churning && flushes % 4 === 0) churn();
      },
    });
    let asked = 0;
    const askAgain = async () => {
      const { question, rows, short } = pick(random, [...viewers]);
      if (!rows || question.kind !== "list") return;
      const at = tail.position;
      const { collection, filter, sort, limit } = question;
      const budget = { candidates: Number.POSITIVE_INFINITY, milliseconds: 5000 };
      const fresh = await store.find({ collection, filter, sort, limit, budget, at });
      if (fresh.position !== at) return;
      asked++;
      const fault = wrong(fresh.rows, { question, rows, short, faults: [] });
      if (fault !== undefined) faults.push(`asked again at ${at}: ${fault}`);
    };
    const writers = Array.from({ length: WRITERS }, (_, i) =>
      write(i % 2 === 0 ? store : other, `w${i}`, seeded(seed + i), askAgain),
    );
    await Promise.all(writers);
    churning = false;
    await store.passed(store.position());
    await until(() => [...viewers].every(({ rows, short }) => rows && !short), 20, "that nothing lacks rows");
    await turn();
    look();
    t.strictSame(faults, []);
    t.ok(compared > 200, `${compared} folds compared`);
    t.comment(`${flushes} flushes, ${compared} folds and ${asked} fresh answers compared`);
    // What the other store wrote last may come a moment later.
    const red = () => [...stored.values()].filter(({ value }) => value.tag === "red").length;
    await until(() => JSON.stringify(counted.value?.value) === `{"count":${red()},"more":false}`, 20, "the count");
    t.equal(await windows.audit(true), 0);
    t.match(windows.counters.numbers().audits, { different: 0 });
    await store.dropCollection(POSTS);
    await until(() => [...viewers].every(({ rows }) => rows?.length === 0), 20, "that all is gone");
    t.ok([...viewers].every(({ resets }) => resets.join() === "dropped"));
  });
});

t.test("whoever comes to a list that nobody watched for a while is told when rows follow again", async (t) => {
  const node = await startLiveNode(t);
  for (const id of ["a", "b", "c"]) await node.put("news", id, {});
  const first = await node.welcome();
  const s = first.find("news", { limit: 2 });
  await first.answered(s);
  t.equal(first.of(s).more, true);
  first.session.end();
  await node.remove("news", "c");
  const second = await node.welcome();
  const again = second.find("news", { limit: 2 });
  await second.answered(again);
  t.equal(second.of(again).more, false);
  await node.put("news", "d", {});
  await until(() => second.of(again).more, 5, "word that rows follow");
  t.same(second.ids(again), ["a", "b"]);
});

t.test("who asks for a value that its socket shows already is told no less than was committed before", async (t) => {
  const node = await startLiveNode(t);
  await node.put("news", "a", { n: 1 });
  const socket = await node.welcome();
  const count = { collection: "news", count: {} };
  socket.say({ t: "sub", s: 1, q: count });
  await socket.answered(1);
  t.match(socket.of(1).value, { count: 1 });
  for (const s of [2, 3, 4]) {
    // It was computed just now, and is not again within a second.
    const after = await node.put("news", `b${s}`, { n: s });
    socket.say({ t: "sub", s, q: count, after });
    await socket.answered(s);
    const [answer] = socket.all("value").filter((frame) => frame.s === s);
    t.match(answer, { value: { count: s } }, "in its first answer");
  }
  await until(() => [1, 2, 3, 4].every((s) => socket.of(s).value.count === 4));
  t.equal(new Set([1, 2, 3, 4].map((s) => socket.of(s).window)).size, 1);
  t.same(socket.complaints, []);
});
