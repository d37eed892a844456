import { randomBytes } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { encodeValue } from "#protocol/values";
import { createLiveQuestions } from "../../../server/documents/live-questions.ts";
import { createLiveTail } from "../../../server/realtime/live-tail.ts";
import { createWindows, type LiveWindows } from "../../../server/realtime/windows/windows.ts";
import type { DocumentStore, Write } from "../../../server/stores/document-store.ts";
import { FoldingViewer } from "../../support/folding-viewer.ts";
import { type Random, seeded } from "../../support/seeded.ts";
import { scopeOf } from "../../support/services.ts";
import { openTwoStores } from "../../support/two-stores.ts";
import { until } from "../../support/until.ts";
import { type Engine, onEachEngine } from "../harness/engines.ts";
import { type ReportRow, rate, type Workload } from "../harness/report.ts";
import { withTeardown } from "../harness/teardown.ts";

/**
 * B10: sorted windows, and updates each of which takes a document over the boundary of what its window shows. In process,
 * since what is asked is how often a window has to be read again, and whether it then shows what is stored.
 */
export const windows: Workload = {
  name: "windows",
  covers: ["B10"],
  run: (options) => onEachEngine(options, (engine) => windowsOn(engine, options.smoke ? SMOKE : FULL)),
};

interface Size {
  readonly windows: number;
  readonly perSecond: number;
  readonly seconds: number;
  readonly rounds: number;
}

const FULL: Size = { windows: 200, perSecond: 2000, seconds: 5, rounds: 5 };
const SMOKE: Size = { windows: 10, perSecond: 500, seconds: 0.3, rounds: 1 };
const LIMIT = 20;
/** Documents of a window's question. */
const DOCUMENTS = 100;
const COLLECTION = "scores";
const MOST = 0.02;
const SEED = 10;
const TURN = 5;
const WAIT = 60;
const QUIET = { debug() {}, info() {}, warn() {}, error() {} };
const MILLISECONDS = 60_000;

interface Stored {
  readonly id: string;
  readonly group: number;
  score: number;
  version: number;
  isBusy: boolean;
}

function windowsOn({ name, env }: Engine, size: Size): Promise<ReportRow[]> {
  return withTeardown(async (t) => {
    const [store] = await openTwoStores(t, { name, env: () => env });
    await store.ensureCollection({ name: COLLECTION, indexes: [{ paths: ["group", "score"] }] });
    // The embedded store's thread keeps no process alive that waits for nothing else.
    const alive = setInterval(() => {}, MILLISECONDS);
    t.teardown(() => clearInterval(alive));
    const tail = createLiveTail(store, QUIET);
    const live = createWindows({ store, tail, log: QUIET, random: randomBytes });
    t.teardown(() => {
      live.close();
      tail.close();
    });
    const random = seeded(SEED);
    const groups = Array.from({ length: size.windows }, (_, group) => groupOf(group, random));
    for (const group of groups) await store.commit(group.map((one) => write(store, one)));
    await until(() => store.nodes.lag < 1000, WAIT, "that the node keeps up");
    const questions = createLiveQuestions({
      ...{ store, definitions: { get: () => undefined }, secrets: ["a secret for benchmarks"], development: false },
    });
    const viewers = groups.map((_, group) => {
      const find = { filter: { group }, sort: ["score"], limit: LIMIT };
      const question = questions.parse({ collection: COLLECTION, find }).bind(scopeOf(COLLECTION));
      return new FoldingViewer(live, question, () => tail.position);
    });
    await until(() => viewers.every(({ rows }) => rows), WAIT, "every window");
    return [await rowOf(name, size, { store, live, groups, viewers, random })];
  });
}

interface Setting {
  readonly store: DocumentStore;
  readonly live: LiveWindows;
  readonly groups: readonly Stored[][];
  readonly viewers: readonly FoldingViewer[];
  readonly random: Random;
}

async function rowOf(engine: Engine["name"], size: Size, setting: Setting): Promise<ReportRow> {
  const { live, store, viewers } = setting;
  const refills = () => live.counters.numbers().loads.refill;
  const shares: number[] = [];
  let events = 0;
  let seconds = 0;
  let read = 0;
  let wrong = 0;
  for (let round = 0; round < size.rounds; round++) {
    const before = refills();
    const { count, took } = await crossBoundaries(setting, size);
    seconds += took;
    await store.passed(store.position());
    await until(() => viewers.every(({ short }) => !short), WAIT, "that no window lacks rows");
    const again = refills() - before;
    shares.push(again / count);
    events += count;
    read += again;
    wrong += await differing(setting);
  }
  return {
    what: `B10 ${size.windows} windows of ${LIMIT}, ${size.perSecond} updates a second, ${engine === "sqlite" ? "SQLite" : "MongoDB"}`,
    ours: `${read} reads for ${events} updates over the boundary`,
    ceiling: "-",
    ratio: read / events,
    spread: read === 0 ? 0 : (Math.max(...shares) - Math.min(...shares)) / (read / events),
    target: `<= ${MOST}`,
    met: read / events <= MOST && wrong === 0,
    note: `${rate(events / seconds)} updates a second came about; compared with a fresh answer after each of ${size.rounds} rounds, wrong ${wrong}`,
  };
}

/** Each takes a document out of what is shown, or into it. @returns how many, and the seconds that they took */
async function crossBoundaries({ store, groups, random }: Setting, { perSecond, seconds }: Size) {
  const running = new Set<Promise<unknown>>();
  const began = performance.now();
  const total = Math.floor(perSecond * seconds);
  let sent = 0;
  while (sent < total) {
    const due = Math.min(total, Math.floor(((performance.now() - began) / 1000) * perSecond));
    // A store that is slower than that is not given more than it answers.
    for (; sent < due && running.size < groups.length; sent++) {
      const moved = move(groups[Math.floor(random() * groups.length)] as Stored[], random);
      const writing = store.commit([write(store, moved)]).then(() => {
        moved.isBusy = false;
        running.delete(writing);
      });
      running.add(writing);
    }
    await wait(TURN);
  }
  await Promise.all(running);
  return { count: total, took: (performance.now() - began) / 1000 };
}

/** Gives one that is shown a place behind the boundary, or one that is not a place before it. */
function move(group: Stored[], random: Random): Stored {
  const boundary = (group[LIMIT - 1] as Stored).score;
  const leaves = random() < 0.5;
  const free = (leaves ? group.slice(0, LIMIT) : group.slice(LIMIT)).filter(({ isBusy }) => !isBusy);
  const moved = free[Math.floor(random() * free.length)];
  if (!moved) throw new Error("too many updates wait for an answer");
  moved.isBusy = true;
  moved.score = leaves ? boundary + random() * (1 - boundary) : random() * boundary;
  group.sort((a, b) => a.score - b.score);
  return moved;
}

function groupOf(group: number, random: Random): Stored[] {
  const made = Array.from({ length: DOCUMENTS }, (_, n) => ({
    ...{ id: `g${group}-${n}`, group, score: random(), version: 0, isBusy: false },
  }));
  return made.sort((a, b) => a.score - b.score);
}

function write(store: DocumentStore, document: Stored): Write {
  const { id, group, score, version: expect } = document;
  const version = store.nextVersion(expect);
  document.version = version;
  const time = new Date();
  const text = encodeValue({ _id: id, _v: version, _createdAt: time, _updatedAt: time, group, score });
  return { kind: "put", collection: COLLECTION, id, expect, version, text };
}

/** How many windows show something else than a fresh answer. */
async function differing({ store, viewers }: Setting): Promise<number> {
  let count = 0;
  for (const { question, rows, faults, error } of viewers) {
    if (question.kind !== "list") continue;
    const { collection, filter, sort, limit } = question;
    const budget = { candidates: Number.POSITIVE_INFINITY, milliseconds: MILLISECONDS };
    const fresh = await store.find({ collection, filter, sort, limit, budget });
    const stored = fresh.rows.map(({ id, version }) => `${id} ${version}`).join();
    const shown = rows?.map(({ _id, _v }) => `${_id} ${_v}`).join();
    if (shown !== stored || faults.length > 0 || error) count++;
  }
  return count;
}
