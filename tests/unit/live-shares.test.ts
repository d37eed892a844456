/** What one asker may take of a node: their turn, and a share. Counted, so that nobody waits for a greedy one. */
import { randomBytes } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import t from "tap";
import { Faults } from "#protocol/errors";
import { parseFilter } from "#protocol/filter";
import { normalise } from "#protocol/normalise";
import { parseSort } from "#protocol/sort";
import type { Asker, ListQuestion, ValueQuestion } from "../../server/realtime/contract.ts";
import { createLiveTail } from "../../server/realtime/live-tail.ts";
import { LoadSlots } from "../../server/realtime/windows/load-slots.ts";
import { Turns } from "../../server/realtime/windows/turns.ts";
import type { WindowLimits } from "../../server/realtime/windows/window-limits.ts";
import { createWindows } from "../../server/realtime/windows/windows.ts";
import type { Row } from "../../server/stores/document-store.ts";
import { FoldingViewer } from "../support/folding-viewer.ts";
import { ScriptedStore, THINGS } from "../support/scripted-store.ts";
import { until } from "../support/until.ts";

const QUIET = { debug() {}, info() {}, warn() {}, error() {} };
const [GREEDY, POLITE, OTHER] = ["greedy", "polite", "other"].map(user) as [Asker, Asker, Asker];
const KEY: Asker = { name: "key/k", isTrusted: true };

function user(name: string): Asker {
  return { name: `user/${name}`, isTrusted: false };
}

function open(limits: Partial<WindowLimits> = {}) {
  const store = new ScriptedStore();
  const tail = createLiveTail(store.port, QUIET);
  const options = { refill: 0, retry: 0, linger: 60_000, value: 0, values: 0, ...limits };
  const windows = createWindows({ store: store.port, tail, log: QUIET, random: randomBytes, limits: options });
  return {
    ...{ store, windows },
    join: (asked: ListQuestion | ValueQuestion, asker: Asker) =>
      new FoldingViewer(windows, asked, () => tail.position, asker),
    close() {
      windows.close();
      tail.close();
    },
  };
}

function question(filter: object): ListQuestion {
  const faults = new Faults();
  const node = normalise(parseFilter(filter, "filter", faults));
  const sort = parseSort(["n"], "sort", faults);
  faults.throwIfAny();
  return {
    ...{ kind: "list", identity: JSON.stringify(filter), collection: THINGS, filter: node, sort, limit: 3 },
    ...{ candidates: 100_000, characters: 1_000_000, shape: "", told: (error) => error },
    show: ({ text }: Row) => text,
  };
}

/** Found by the value `n`. */
const indexed = (n: number) => question({ n });
const residual = (n: number) => question({ n: { $ne: n } });

t.test("a thousand loads of one asker stand before no other's", async (t) => {
  const { store, windows, join, close } = open({ loads: 4 });
  t.teardown(close);
  for (let n = 0; n < 1000; n++) join(indexed(n), GREEDY);
  await turn();
  const asked = () => store.loads.map(({ query }) => JSON.stringify(query.filter));
  const isAsked = (n: number) => asked().includes(JSON.stringify(indexed(n).filter));
  t.equal(store.loads.length, 3, "one place is for others");
  join(indexed(2000), POLITE);
  await turn();
  t.ok(isAsked(2000), "at once");
  join(indexed(2001), OTHER);
  // A window that the greedy one waits for is of use to others as well.
  join(indexed(999), POLITE);
  await turn();
  t.equal(store.loads.length, 4);
  const begun: string[] = [];
  while (!isAsked(2001) || !isAsked(999)) {
    const before = asked();
    store.finish(0, 0);
    await turn();
    begun.push(...asked().filter((filter) => !before.includes(filter)));
    if (begun.length > 10) break;
  }
  t.ok(begun.length <= 3, `${begun.length} began until theirs did`);
  t.equal(windows.counters.numbers().loadQueue, 1000 - 3 - begun.length + 1, "the thousand wait still");
});

t.test("who comes new waits for one piece of each of the others", (t) => {
  const turns = new Turns<{ readonly of: string }>();
  const askers = Array.from({ length: 50 }, (_, n) => `a${n}`);
  for (let i = 0; i < 20; i++) for (const of of askers) turns.add({ of }, of);
  for (let i = 0; i < 333; i++) turns.take();
  turns.add({ of: "new" }, "new");
  const before: string[] = [];
  for (let next = turns.take(); next && next.asker !== "new"; next = turns.take()) before.push(next.asker);
  t.equal(before.length, 50);
  t.equal(new Set(before).size, 50, "each of them once");
  const shared = { of: "all" };
  for (const asker of askers) turns.add(shared, asker);
  let count = 0;
  for (let next = turns.take(); next; next = turns.take()) if (next.work === shared) count++;
  t.equal(count, 1, "what many ask for is done once");
  t.equal(turns.size, 0);
  t.end();
});

t.test("work that is given up is not done, and leaves its place", async (t) => {
  const slots = new LoadSlots(1);
  const done: string[] = [];
  const ends: (() => void)[] = [];
  const enter = (name: string, asker: string) =>
    slots.enter(() => {
      done.push(name);
      return new Promise((resolve) => ends.push(resolve));
    }, asker);
  enter("first", "a");
  const second = enter("second", "a");
  enter("third", "b");
  second.also("b");
  await turn();
  second.leave();
  second.also("c");
  t.equal(slots.waiting, 1);
  ends.shift()?.();
  await turn();
  t.strictSame([done, slots.waiting], [["first", "third"], 0]);
});

t.test("windows that no value can find have a share for each asker, and room for who comes", async (t) => {
  const { windows, join, close } = open({ residual: 6, residualEach: 3 });
  t.teardown(close);
  const refused = { code: "index_required", details: { reason: "share_used" } };
  const held = [0, 1, 2].map((n) => join(residual(n), GREEDY));
  const again = join(residual(0), GREEDY);
  t.throws(() => join(residual(3), GREEDY), refused, "a fourth");
  t.equal(windows.counters.numbers().residualWindows, 3, "what is refused takes no room");
  join(indexed(1), GREEDY);
  const theirs = join(residual(3), POLITE);
  t.throws(() => join(residual(3), GREEDY), refused, "also where another shows it");
  again.leave();
  t.throws(() => join(residual(4), GREEDY), refused, "still shown by another of their sockets");
  held[0]?.leave();
  join(residual(4), GREEDY);
  for (const n of [5, 6]) join(residual(n), KEY);
  t.throws(
    () => join(residual(7), KEY),
    { code: "index_required", details: { index: { paths: ["n"] } } },
    "all of the node",
  );
  theirs.leave();
  join(residual(7), KEY);
  t.equal(windows.counters.numbers().residualWindows, 6);
});

t.test("a window that only lingers gives its place to another", async (t) => {
  const { store, windows, join, close } = open({ residual: 3, residualEach: 2 });
  t.teardown(close);
  for (let n = 0; n < 20; n++) {
    const viewer = join(residual(n), GREEDY);
    await until(() => store.loads.length > 0);
    store.finish(0, 0);
    await until(() => viewer.rows !== undefined);
    viewer.leave();
  }
  t.equal(windows.counters.numbers().residualWindows, 3, "they linger");
  for (const n of [100, 101]) join(residual(n), POLITE);
  join(residual(102), OTHER);
  t.equal(windows.counters.numbers().residualWindows, 3);
  t.throws(() => join(residual(103), OTHER), { code: "index_required" }, "and none that somebody shows");
});

t.test("values of one asker are computed in turn with those of others", async (t) => {
  const { store, join, close } = open();
  t.teardown(close);
  const reads: { readonly name: string; readonly end: () => void }[] = [];
  const value = (name: string): ValueQuestion => ({
    ...{ kind: "value", identity: name, collection: THINGS, filter: { kind: "true" }, candidates: 1 },
    told: (error) => error,
    read: (at) =>
      new Promise((resolve) => reads.push({ name, end: () => resolve({ text: `"${name} ${at}"`, position: at }) })),
  });
  const greedy = Array.from({ length: 30 }, (_, n) => join(value(`greedy ${n}`), GREEDY));
  const polite = join(value("polite"), POLITE);
  await until(() => reads.length === 4);
  t.ok(
    reads.some(({ name }) => name === "polite"),
    "at first",
  );
  const endAll = () => {
    for (const { end } of reads.splice(0)) end();
    return [...greedy, polite].every((viewer) => viewer.value !== undefined);
  };
  await until(endAll);
  store.commit(new Map([["d1", { n: 1 }]]));
  store.tell();
  await until(() => reads.length === 4);
  t.ok(
    reads.some(({ name }) => name === "polite"),
    "and again",
  );
  await until(() => endAll() && [...greedy, polite].every(({ changes }) => changes.length === 1));
});
