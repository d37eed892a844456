import { Faults } from "#protocol/errors";
import { parseFilter } from "#protocol/filter";
import { compileFilter } from "#protocol/match";
import { normalise } from "#protocol/normalise";
import { type Document, encodeValue, type ObjectValue, parseText } from "#protocol/values";
import { createMatching, type Matching, type Watcher } from "../../../server/realtime/matching/matching.ts";
import { type ReportRow, rate, type Workload } from "../harness/report.ts";
import { median } from "../harness/rounds.ts";

const MATCHES = [5, 22] as const;
/** What the greatest number of live queries may cost: an event, and each match. */
const ALLOWED = { event: 5, match: 1.5 } as const;
const GROWTH = 1.3;
/** What a turn applies at most. */
const COMMITS = 200;

/**
 * B7: what it costs to find the live queries that an event changes, filters tried. Among more queries each event has as
 * many matches as among fewer; the contestants take turns.
 */
export const match: Workload = {
  name: "match",
  covers: ["B7"],
  async run({ smoke }) {
    const sizes = smoke ? [100, 200, 400] : [1000, 10_000, 100_000];
    const effort = smoke ? { rounds: 1, events: 400 } : { rounds: 5, events: 20_000 };
    return MATCHES.flatMap((matches) => measure(sizes, matches, effort));
  },
};

interface Window extends Watcher {
  readonly accepts: (document: ObjectValue) => boolean;
}

interface Contestant {
  readonly size: number;
  readonly matching: Matching<Window>;
  /** Canonical texts, as stores hand them on. */
  readonly documents: readonly string[];
  /** Microseconds of CPU an event, each round. */
  readonly taken: number[];
  /** Of all events. */
  candidates: number;
  events: number;
  wrong: number;
}

function measure(
  sizes: readonly number[],
  matches: number,
  { rounds, events }: { readonly rounds: number; readonly events: number },
): ReportRow[] {
  const contestants = sizes.map((size) => contestantOf(size, matches));
  for (let round = 0; round <= rounds; round++) {
    for (const contestant of contestants) {
      const taken = run(contestant, matches, events);
      // The first warms up.
      if (round > 0) contestant.taken.push(taken);
    }
  }
  const rows = contestants.map((contestant, i) => row(contestant, matches, i === contestants.length - 1));
  const [, before, after] = contestants.map(({ taken }) => median(taken)) as [number, number, number];
  const [, few, many] = sizes as [number, number, number];
  const growth: ReportRow = {
    what: `B7 from ${few} to ${many} live queries, ${matches} matches`,
    ours: `${after.toFixed(2)} µs an event`,
    ceiling: `${before.toFixed(2)} µs an event`,
    ratio: after / before,
    target: `<= ${GROWTH.toFixed(2)}`,
    met: after / before <= GROWTH,
    note: `wrong ${contestants.reduce((sum, { wrong }) => sum + wrong, 0)}`,
  };
  return [...rows, growth];
}

/** Every `matches` live queries ask for what one document has, each in its own way; they hold it, too. */
function contestantOf(size: number, matches: number): Contestant {
  const matching = createMatching<Window>();
  const documents = Array.from({ length: Math.floor(size / matches) }, (_, n) => encodeValue(documentOf(n)));
  for (let i = 0; i < documents.length * matches; i++) {
    const n = Math.floor(i / matches);
    const window = windowOf(shapeOf(i % matches, n));
    matching.add(window);
    matching.hold(window, `d${n}`);
  }
  return { size, matching, documents, taken: [], candidates: 0, events: 0, wrong: 0 };
}

function windowOf(input: object): Window {
  const faults = new Faults();
  const filter = normalise(parseFilter(input, "filter", faults));
  faults.throwIfAny();
  return { collection: "tasks", filter, accepts: compileFilter(filter) };
}

/** Filters as apps have them, with the rules that they are bound by. */
function shapeOf(way: number, n: number): object {
  const likes = { likes: { $gte: way } };
  switch (way % 5) {
    case 0:
      return { author: `author-${n}`, ...likes };
    case 1:
      return { status: "open", room: `room-${n}`, ...likes };
    case 2:
      return { tags: `tag-${n}`, status: { $ne: "done" }, ...likes };
    case 3:
      return { $or: [{ owner: `user-${n}` }, { members: `user-${n}` }], deletedAt: null, ...likes };
    default:
      return { due: { $gte: dateOf(n * 10), $lt: dateOf(n * 10 + 10) }, ...likes };
  }
}

function documentOf(n: number): ObjectValue {
  return {
    _id: `d${n}`,
    _v: 1,
    author: `author-${n}`,
    status: "open",
    room: `room-${n}`,
    title: `Task ${n}`,
    text: "what is to be done ".repeat(20),
    tags: ["tag-of-none", `tag-${n}`],
    owner: "user-of-none",
    members: [`user-${n}`, "user-of-none"],
    due: new Date(n * 10 + 3),
    likes: 100,
  };
}

function dateOf(time: number): object {
  return { $date: time };
}

/** @returns microseconds of CPU an event, the decoding of its document left out */
function run(contestant: Contestant, matches: number, events: number): number {
  const { documents } = contestant;
  let taken = 0;
  for (let done = 0; done < events; done += COMMITS) {
    // In an order in which no event is like the one before.
    const next = Array.from(
      { length: COMMITS },
      (_, i) => documents[((done + i) * 48_271) % documents.length] as string,
    );
    const decoded = next.map((text) => parseText(text) as Document);
    // The time of this process, which a busy neighbour distorts least; nothing here waits.
    const began = process.cpuUsage();
    for (const document of decoded) judge(contestant, matches, document);
    const { user, system } = process.cpuUsage(began);
    taken += user + system;
  }
  return taken / events;
}

function judge(contestant: Contestant, matches: number, document: Document): void {
  const candidates = contestant.matching.touched("tasks", document._id, document);
  let found = 0;
  for (const { accepts } of candidates) if (accepts(document)) found++;
  contestant.candidates += candidates.length;
  contestant.events++;
  if (found !== matches) contestant.wrong++;
}

function row({ size, taken, candidates, events, wrong }: Contestant, matches: number, judged: boolean): ReportRow {
  const micros = median(taken);
  const allowed = ALLOWED.event + ALLOWED.match * matches;
  return {
    what: `B7 ${size} live queries, ${matches} matches`,
    ours: `${micros.toFixed(2)} µs an event, ${rate(1e6 / micros)}/s`,
    ceiling: "-",
    ratio: micros,
    spread: (Math.max(...taken) - Math.min(...taken)) / micros,
    target: judged ? `<= ${allowed} µs` : "told",
    met: wrong === 0 && (!judged || micros <= allowed),
    note: `${(candidates / events).toFixed(1)} candidates an event, wrong ${wrong}`,
  };
}
