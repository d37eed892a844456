/** Windows over a scripted store: whatever the order of loads and commits, what is shown is what is stored. */
import { randomBytes } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import t from "tap";
import { Faults, GalleyError } from "#protocol/errors";
import { parseFilter } from "#protocol/filter";
import { normalise } from "#protocol/normalise";
import { parseSort } from "#protocol/sort";
import type { ObjectValue } from "#protocol/values";
import type { Log } from "../../server/log.ts";
import type { ListQuestion, ValueQuestion } from "../../server/realtime/contract.ts";
import { createLiveTail } from "../../server/realtime/live-tail.ts";
import type { WindowLimits } from "../../server/realtime/windows/window-limits.ts";
import { createWindows } from "../../server/realtime/windows/windows.ts";
import type { Position, Row } from "../../server/stores/document-store.ts";
import { FoldingViewer } from "../support/folding-viewer.ts";
import { rowsOf, ScriptedStore, THINGS } from "../support/scripted-store.ts";
import { pick, type Random, seeded } from "../support/seeded.ts";
import { until } from "../support/until.ts";

const SCHEDULES = 100;
const QUIET: Log = { debug() {}, info() {}, warn() {}, error() {} };

function open(limits: Partial<WindowLimits> = {}) {
  const store = new ScriptedStore();
  const tail = createLiveTail(store.port, QUIET);
  const options = { refill: 0, retry: 0, linger: 0, value: 0, values: 0, ...limits };
  const windows = createWindows({ store: store.port, tail, log: QUIET, random: randomBytes, limits: options });
  const join = (asked: ListQuestion | ValueQuestion) => new FoldingViewer(windows, asked, () => tail.position);
  const finishAll = async () => {
    await until(() => store.loads.length > 0);
    while (store.loads.length > 0) store.finish(0, 0);
    await turn();
    await turn();
  };
  return {
    ...{ store, tail, windows, join, finishAll },
    close() {
      windows.close();
      tail.close();
    },
  };
}

interface Asked {
  readonly filter?: object;
  readonly sort?: readonly string[];
  readonly limit?: number;
  /** Hides the field `b`. */
  readonly hides?: boolean;
}

function question({ filter = {}, sort = ["n"], limit = 3, hides = false }: Asked = {}): ListQuestion {
  const faults = new Faults();
  const node = normalise(parseFilter(filter, "filter", faults));
  const keys = parseSort(sort, "sort", faults);
  faults.throwIfAny();
  return {
    ...{ kind: "list", identity: JSON.stringify([filter, sort, limit, hides]), collection: THINGS, filter: node },
    ...{ sort: keys, limit, candidates: 100_000, characters: 1_000_000, shape: "", told: (error) => error },
    show: hides ? ({ value: { b, ...rest } }: Row) => JSON.stringify(rest) : ({ text }: Row) => text,
  };
}

const QUESTIONS = [
  question({ limit: 1 }),
  question({ limit: 2, sort: ["-n"] }),
  question({ limit: 4, filter: { b: 1 }, hides: true }),
  question({ limit: 3, filter: { n: { $gte: 3 } }, sort: ["b", "-n"] }),
  question({ limit: 8, filter: { _id: { $in: ["d1", "d4", "d9"] } }, sort: ["_id"] }),
  question({ limit: 2, filter: { b: { $ne: 2 } }, hides: true }),
];

/** What is wrong with what a viewer shows where the tail stands, in words. */
function wrong(store: ScriptedStore, viewer: FoldingViewer, settled: boolean): string | undefined {
  const asked = viewer.question as ListQuestion;
  if (viewer.faults.length > 0) return viewer.faults.join("; ");
  if (viewer.error) return viewer.error.message;
  if (!viewer.rows) return settled ? "it never came" : undefined;
  const all = rowsOf(store.shown, asked);
  const result = all.slice(0, asked.limit).map((row) => asked.show(row));
  const shown = viewer.rows.map((row) => JSON.stringify(row));
  const expected = viewer.short && !settled ? result.slice(0, shown.length) : result;
  if (shown.join() !== expected.join()) return `${asked.identity} shows ${shown}, stored is ${expected}`;
  if (settled && viewer.short) return "it is still short";
  return settled && viewer.more !== all.length > asked.limit ? `more is ${viewer.more}` : undefined;
}

async function schedule(random: Random, texts: number): Promise<string | undefined> {
  const { store, windows, join, close } = open({ texts, keptCommits: 4, loads: 2 });
  const viewers = new Set<FoldingViewer>();
  const chance = (part: number) => random() < part;
  const write = () => {
    const changes = new Map<string, ObjectValue | undefined>();
    for (let i = chance(0.7) ? 1 : 4; i > 0; i--) {
      const fields = { n: Math.floor(random() * 6), b: Math.floor(random() * 3) };
      changes.set(`d${Math.floor(random() * 14)}`, chance(0.4) ? undefined : fields);
    }
    store.commit(changes);
  };
  const steps: (() => unknown)[] = [
    ...Array.from({ length: 6 }, () => write),
    ...Array.from({ length: 7 }, () => () => store.tell()),
    ...Array.from({ length: 5 }, () => () => store.finish(Math.floor(random() * store.loads.length), random())),
    () => viewers.size < 8 && viewers.add(join(pick(random, QUESTIONS))),
    () => viewers.size < 8 && viewers.add(join(pick(random, QUESTIONS))),
    () => {
      const leaving = [...viewers][Math.floor(random() * viewers.size)];
      if (leaving && viewers.delete(leaving)) leaving.leave();
    },
    () => store.repeat(),
    () => store.fail(0, new GalleyError("unavailable", "away")),
    () => chance(0.3) && store.lose(chance(0.5)),
    () => chance(0.3) && store.drop(),
    () => void (chance(0.3) && windows.audit()),
  ];
  const verdict = (settled: boolean) => {
    for (const viewer of viewers) {
      const fault = wrong(store, viewer, settled);
      if (fault !== undefined) return fault;
    }
    return undefined;
  };
  try {
    for (let step = 0; step < 120; step++) {
      await pick(random, steps)();
      if (chance(0.6)) await turn();
      const fault = verdict(false);
      if (fault !== undefined) return fault;
    }
    while (store.untold.length > 0) store.tell();
    for (let turns = 0; turns < 500 && verdict(true) !== undefined; turns++) {
      while (store.loads.length > 0) store.finish(Math.floor(random() * store.loads.length), random());
      await turn();
    }
    let differing: number | undefined;
    void windows.audit(true).then((count) => {
      differing = count;
    });
    for (let turns = 0; turns < 500 && differing === undefined; turns++) {
      while (store.loads.length > 0) store.finish(0, random());
      await turn();
    }
    if (differing !== 0) return "an audit found a difference";
    return windows.counters.numbers().resets.audit > 0 ? "an audit found a difference on the way" : verdict(true);
  } finally {
    close();
  }
}

t.test("every schedule of loads, commits, losses, drops and repeats shows what is stored", async (t) => {
  const found: string[] = [];
  for (let seed = 1; seed <= SCHEDULES && found.length < 3; seed++) {
    // Also with no room for texts at all: then each row that comes into sight is read.
    const fault = await schedule(seeded(seed), [0, 600, 1e6][seed % 3] as number);
    if (fault !== undefined) found.push(`seed ${seed}: ${fault}`);
  }
  t.strictSame(found, []);
});

t.test("a storm of one question is one load, and one text a commit", async (t) => {
  const { store, windows, join, finishAll, close } = open();
  t.teardown(close);
  const viewers = Array.from({ length: 500 }, () => join(question()));
  await finishAll();
  t.ok(viewers.every(({ rows }) => rows?.length === 0));
  t.equal(store.finds, 1);
  store.commit(new Map([["d1", { n: 1 }]]));
  store.tell();
  t.equal(windows.counters.numbers().serialisations, 1);
  const [first, ...others] = viewers.map(({ changes }) => changes[0]);
  t.ok(first && others.every((change) => change === first && change.frame === first.frame));
  const { position, member, frame } = first ?? { position: "", member: "", frame: Buffer.alloc(0) };
  const text = `{"t":"commit","pos":"${position}","w":{${member}}}`;
  t.equal(frame.toString("utf8", 4), text, "the frame is the whole message");
  t.equal(frame.readUInt16BE(2), text.length);
});

t.test("a commit that nobody watches is not looked at", async (t) => {
  const { store, windows, join, finishAll, close } = open();
  t.teardown(close);
  store.commit(new Map([["d1", { n: 1 }]]));
  store.tell();
  t.equal(store.looked, 0);
  const viewer = join(question({ filter: { n: 7 } }));
  await finishAll();
  store.commit(new Map([["d2", { n: 2 }]]));
  store.tell();
  t.equal(windows.counters.numbers().candidates, 0);
  t.strictSame(viewer.changes, []);
});

t.test(
  "a change that leaves the visible rows as they were says nothing; one of hidden fields moves the version",
  async (t) => {
    const { store, join, finishAll, close } = open();
    t.teardown(close);
    store.commit(new Map(["a", "b", "c", "d"].map((id, n) => [id, { n, b: 1 }])));
    store.tell();
    const viewer = join(question({ limit: 2, hides: true }));
    await finishAll();
    store.commit(new Map([["d", { n: 3, b: 5 }]]));
    store.tell();
    t.strictSame(viewer.changes, [], "a row beyond the visible ones");
    store.commit(new Map([["a", { n: 0, b: 99 }]]));
    store.tell();
    t.equal(viewer.changes.length, 1);
    t.strictSame(viewer.rows?.[0], { _id: "a", _v: 6, n: 0 });
    t.notMatch(viewer.changes[0]?.member, "99");
  },
);

t.test("a removal goes out at once, marked short; what follows comes when it was read", async (t) => {
  const { store, join, finishAll, close } = open({ refill: 30 });
  t.teardown(close);
  store.commit(new Map(Array.from({ length: 40 }, (_, n) => [`d${n + 10}`, { n }])));
  store.tell();
  const begun = performance.now();
  const viewer = join(question({ limit: 3 }));
  await finishAll();
  store.commit(new Map(Array.from({ length: 12 }, (_, n) => [`d${n + 10}`, undefined])));
  store.tell();
  t.equal(viewer.short, true);
  t.strictSame(
    viewer.rows?.map(({ _id }) => _id),
    ["d22"],
  );
  await finishAll();
  t.ok(performance.now() - begun >= 29, "not sooner than may be");
  t.equal(viewer.short, false);
  t.strictSame(
    viewer.rows?.map(({ _id }) => _id),
    ["d22", "d23", "d24"],
  );
});

t.test("a commit is never told in part: what follows a row whose text must be read waits for it", async (t) => {
  const { store, join, finishAll, close } = open({ texts: 0 });
  t.teardown(close);
  store.commit(new Map(["a", "b", "c"].map((id, n) => [id, { n }])));
  store.tell();
  const viewer = join(question({ limit: 2 }));
  const shown = () => viewer.rows?.map(({ _id }) => _id).join();
  await finishAll();
  t.equal(shown(), "a,b");
  await turn();
  store.commit(
    new Map([
      ["a", undefined],
      ["b", { n: 9 }],
    ]),
  );
  store.tell();
  t.strictSame([shown(), viewer.short, viewer.more], ["", true, true]);
  await finishAll();
  t.strictSame([shown(), viewer.short, viewer.more], ["c,b", false, false]);
});

t.test("loads wait their turn, and one that falls too far behind begins again", async (t) => {
  const { store, windows, join, close } = open({ loads: 2, keptCommits: 3 });
  t.teardown(close);
  const viewers = [1, 2, 3, 4].map((limit) => join(question({ limit })));
  await turn();
  t.equal(store.loads.length, 2);
  t.equal(windows.counters.numbers().loadQueue, 2);
  for (let i = 0; i < 5; i++) {
    store.commit(new Map([["d1", { n: i }]]));
    store.tell();
  }
  store.finish(0, 0);
  await turn();
  t.equal(windows.counters.numbers().loads.again, 1);
  await until(() => {
    while (store.loads.length > 0) store.finish(0, 0);
    return viewers.every(({ rows }) => rows?.length === 1);
  });
});

t.test("a window lingers for those who come back, and ends after a while", async (t) => {
  const { store, windows, join, finishAll, close } = open({ linger: 40 });
  t.teardown(close);
  const first = join(question());
  await finishAll();
  first.leave();
  store.commit(new Map([["d1", { n: 1 }]]));
  store.tell();
  const second = join(question());
  await until(() => second.rows?.length === 1 || store.loads.length > 0);
  while (store.loads.length > 0) store.finish(0, 0);
  await until(() => second.rows?.length === 1);
  t.equal(windows.counters.numbers().loads.load, 1);
  second.leave();
  await until(() => windows.counters.numbers().windows === 0);
  t.equal(windows.counters.numbers().textBytes > 0, true, "texts stay as long as there is room");
});

t.test("what cannot be read ends; what fails for a moment is read again", async (t) => {
  const { store, join, close } = open();
  t.teardown(close);
  const told = (error: GalleyError) => new GalleyError(error.code, "narrow it");
  const refused = join({ ...question({ limit: 1 }), told });
  const patient = join(question({ limit: 2 }));
  await turn();
  store.fail(0, new GalleyError("query_too_expensive", "an index on salary would help"));
  store.fail(0, new GalleyError("unavailable", "away"));
  await until(() => refused.error !== undefined && store.loads.length > 0);
  t.equal(refused.error?.message, "narrow it");
  store.finish(0, 0);
  await until(() => patient.rows !== undefined);
  const [node] = [store.nodes];
  node.lag = 3000;
  t.throws(() => join(question()), { code: "unavailable" });
});

t.test("a document without a place in the order ends the list, as a question for it would be refused", async (t) => {
  const { store, join, finishAll, close } = open();
  t.teardown(close);
  const viewer = join(question({ sort: ["n", "b"] }));
  await finishAll();
  store.commit(new Map([["d1", { n: [1, 2], b: [1, 2] }]]));
  store.tell();
  t.match(viewer.error, { code: "invalid_argument" });
});

t.test("values are computed again when their collection changed: not too often, and told if they differ", async (t) => {
  const { store, windows, join, close } = open({ value: 40 });
  t.teardown(close);
  let reads = 0;
  let answer = 0;
  const asked: ValueQuestion = {
    ...{ kind: "value", identity: "count", collection: THINGS, filter: question().filter, candidates: 1 },
    told: (error) => error,
    async read(at: Position) {
      reads++;
      return { text: `${answer}`, position: at };
    },
  };
  const viewers = [join(asked), join(asked)];
  await until(() => viewers.every(({ value }) => value?.value === 0));
  t.equal(reads, 1);
  answer = 1;
  for (let i = 0; i < 50; i++) {
    store.commit(new Map([["d1", { n: i }]]));
    store.tell();
  }
  await until(() => viewers.every(({ value }) => value?.value === 1));
  t.equal(viewers[0]?.value?.at, store.told);
  t.ok(reads <= 3);
  const told = viewers[0]?.changes.length;
  store.commit(new Map());
  store.tell();
  const exact = store.told;
  store.commit(new Map([["d1", undefined]]));
  store.tell();
  t.match(viewers[0]?.window.snapshot(), { position: exact }, "it was exact as far as the commit before");
  const late = join(asked);
  t.equal(late.value, undefined);
  await until(() => late.value !== undefined);
  t.equal(late.value?.at, store.told, "who comes while it is stale is not shown less than was committed");
  t.equal(viewers[0]?.changes.length, told, "unchanged values are not sent");
  await store.lose(true);
  await until(() => viewers[0]?.value?.at === store.told);
  t.strictSame(viewers[0]?.resets, ["history"]);
  t.equal(windows.counters.numbers().windows, 1);
});

t.test("a mistake in what follows commits is mended by reading everything anew", async (t) => {
  const { store, tail, join, finishAll, close } = open();
  t.teardown(close);
  const viewer = join(question());
  await finishAll();
  tail.follow("sessions", {
    commit() {
      tail.follow("sessions", {});
      throw new Error("a mistake");
    },
  });
  store.commit(new Map([["d1", { n: 1 }]]));
  store.tell();
  t.strictSame(viewer.resets, ["history"]);
  await finishAll();
  t.equal(viewer.rows?.length, 1);
});

t.test("a position is waited for, and not for ever", async (t) => {
  const { store, tail, close } = open();
  t.teardown(close);
  const [next] = [store.commit(new Map([["d1", { n: 1 }]])).position];
  let reached: boolean | undefined;
  void tail.reached(next, 5).then((verdict) => {
    reached = verdict;
  });
  await until(() => reached !== undefined);
  t.equal(reached, false);
  const waiting = tail.reached(next, 5000);
  store.tell();
  t.equal(await waiting, true);
  t.equal(await tail.reached("other.0000000000000001" as Position, 0), true, "of another history: not comparable");
});
