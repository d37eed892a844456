/** What live queries cost grows with what happens to them, and with nothing else; benchmarks.md "Growth laws". Counted, not timed. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import t, { type Test } from "tap";
import type { Outlet } from "../../server/realtime/contract.ts";
import type { DocumentStore, FindQuery } from "../../server/stores/document-store.ts";
import { createFrameBundles } from "../../server/transport/live/frame-bundles.ts";
import { ADDRESS, startLiveNode } from "../support/live-node.ts";
import { until } from "../support/until.ts";

const SOCKETS = 200;
const QUESTIONS = 10;
const RULES = { format: 1, collections: { news: { list: true, get: true }, other: { list: true, get: true } } };
/** Bytes of heap for a window that shows one document, and the subscription and socket that show it: generous. */
const MOST_BYTES = 24 * 1024;
const WARM_UP = 200;
const WINDOWS = 1000;
const BATCH = 100;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** A node whose reads are counted. */
async function startCounted(t: Test) {
  const counted = { reads: 0 };
  const between = (store: DocumentStore): DocumentStore => ({
    ...store,
    find(query: FindQuery) {
      if (query.at !== undefined) counted.reads++;
      return store.find(query);
    },
  });
  const node = await startLiveNode(t, { rules: RULES, between });
  return { ...node, counted, numbers: () => node.windows.counters.numbers() };
}

/** One end of a socket that only counts: what came is forgotten. */
class Counting implements Outlet {
  readonly unsent = { bytes: 0, messages: 0 };
  results = 0;
  commits = 0;
  last: Buffer | undefined;

  send(frames: readonly (Buffer | string)[]): void {
    for (const frame of frames) {
      if (typeof frame === "object") {
        this.commits++;
        this.last = frame;
      } else if (frame.startsWith('{"t":"snapshot"')) this.results++;
    }
  }

  drained(): void {}

  close(code: number): void {
    throw new Error(`closed by ${code}`);
  }
}

type Node = Awaited<ReturnType<typeof startCounted>>;

/** Sockets that ask one question each, all at once. Resolves when each was told the result. */
async function storm({ live }: Node, questions: readonly object[]) {
  const opened = questions.map((q) => {
    const outlet = new Counting();
    const session = live.open(outlet, { address: ADDRESS });
    session.receive('{"t":"hello","v":1}');
    session.receive(JSON.stringify({ t: "sub", s: 1, q }));
    return { outlet, session };
  });
  await until(() => opened.every(({ outlet }) => outlet.results === 1), 20, "every result");
  return opened;
}

const ask = (n: number, collection = "news") => ({ collection, find: { filter: { n }, sort: ["-_createdAt"] } });

t.test("in a storm each question is read once, and a commit is put into words once for all who show it", async (t) => {
  const node = await startCounted(t);
  for (let n = 0; n < QUESTIONS; n++) await node.put("news", `d${n}`, { n });
  const { counted, numbers } = node;
  const before = counted.reads;
  const opened = await storm(
    node,
    Array.from({ length: SOCKETS }, (_, i) => ask(i % QUESTIONS)),
  );
  t.equal(counted.reads - before, QUESTIONS);
  t.equal(numbers().windows, QUESTIONS);

  const { serialisations, candidates } = numbers();
  await node.put("news", "d3", { n: 3, title: "new" });
  const concerned = opened.filter((_, i) => i % QUESTIONS === 3).map(({ outlet }) => outlet);
  await until(() => concerned.every(({ commits }) => commits === 1));
  t.equal(numbers().serialisations - serialisations, 1);
  t.equal(numbers().candidates - candidates, 1, "no window is tried that it does not touch");
  t.equal(new Set(concerned.map(({ last }) => last)).size, 1, "the same bytes go to all");
  t.equal(opened.filter(({ outlet }) => outlet.commits > 0).length, concerned.length, "nobody else is told anything");

  for (const { session } of opened) session.end();
  await storm(
    node,
    Array.from({ length: SOCKETS }, (_, i) => ask(i % QUESTIONS)),
  );
  t.equal(counted.reads - before, QUESTIONS, "those who come back soon find the windows that they left");
});

t.test("a commit that nobody listens to costs nothing, however many windows there are", async (t) => {
  const node = await startCounted(t);
  const { counted, numbers } = node;
  await node.put("other", "x", { n: 1 });
  const opened = await storm(
    node,
    Array.from({ length: SOCKETS }, (_, n) => ask(n)),
  );
  const before = { ...numbers(), reads: counted.reads };
  await node.put("other", "x", { n: 2 });
  await node.put("news", "elsewhere", { n: SOCKETS + 1 });
  const position = await node.put("news", "nowhere", { title: "no number at all" });
  await until(() => node.tail.position >= position);
  const after = { ...numbers(), reads: counted.reads };
  t.same(after, before);
  t.ok(opened.every(({ outlet }) => outlet.commits === 0));
});

t.test("what a document is tried on does not grow with the windows that it does not touch", async (t) => {
  const node = await startCounted(t);
  const tried: number[] = [];
  for (const windows of [20, 200]) {
    await storm(
      node,
      Array.from({ length: windows }, (_, n) => ask(n)),
    );
    const { candidates } = node.numbers();
    const position = await node.put("news", "d", { n: 7, windows });
    await until(() => node.tail.position >= position);
    tried.push(node.numbers().candidates - candidates);
  }
  t.same(tried, [1, 1]);
});

t.test("a window, its subscription and its socket take a bounded part of the heap, and give it back", async (t) => {
  const node = await startCounted(t);
  const made = async (first: number, windows: number) => {
    const ids = Array.from({ length: windows }, (_, n) => `d${first + n}`);
    const creates = ids.map((_id) => ({ op: "create", collection: "news", document: { _id, text: "x".repeat(100) } }));
    for (let from = 0; from < windows; from += BATCH) await node.batch(...creates.slice(from, from + BATCH));
    return storm(
      node,
      ids.map((id) => ({ collection: "news", get: { ids: [id] } })),
    );
  };
  const warm = await made(0, WARM_UP);
  const before = heap();
  const opened = await made(WARM_UP, WINDOWS);
  const each = (heap() - before) / WINDOWS;
  t.comment(`${each.toFixed(0)} bytes each`);
  t.ok(each < MOST_BYTES, `${each} bytes`);
  t.equal(node.counters.sockets, WARM_UP + WINDOWS);
  for (const { session } of [...warm, ...opened]) session.end();
  t.match(node.counters, { sockets: 0, subscriptions: 0 });
});

function heap(): number {
  collectGarbage();
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

t.test("frames that go out together are put together once, and only what all are sent", (t) => {
  const bundles = createFrameBundles();
  const [a, b, c] = ["a", "b", "c"].map((text) => Buffer.from(text)) as [Buffer, Buffer, Buffer];
  const first = bundles.of([a, b]);
  t.equal(String(first), "ab");
  t.equal(bundles.of([a, b]), first, "the same bytes for the next socket");
  t.equal(String(bundles.of([a, c])), "ac");
  t.equal(String(bundles.of([a, c, b])), "acb");
  t.equal(String(bundles.of([a])), "a");
  t.equal(bundles.of([a, "a text for one socket"]), undefined);
  t.equal(
    bundles.of([Buffer.alloc(200_000), Buffer.alloc(200_000)]),
    undefined,
    "to copy much costs more than it saves",
  );
  t.end();
});
