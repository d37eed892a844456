import fc from "fast-check";
import { BSON, Timestamp } from "mongodb";
import t from "tap";
import type { ChangeEvent } from "../../server/stores/mongodb/change-events.ts";
import type { Batch } from "../../server/stores/mongodb/change-stream.ts";
import { CommitGroups } from "../../server/stores/mongodb/commit-groups.ts";

type Kind = "single" | "batch" | "foreign";

/** Commits of random kinds and sizes, and where the server cuts the stream of their events into replies. */
const stream = fc.record({
  commits: fc.array(fc.tuple(fc.constantFrom<Kind>("single", "batch", "foreign"), fc.integer({ min: 1, max: 6 })), {
    maxLength: 12,
  }),
  cuts: fc.infiniteStream(fc.tuple(fc.integer({ min: 0, max: 7 }), fc.boolean())),
});

t.test("however the stream is cut into replies, each commit comes once, whole and in order", async (t) => {
  fc.assert(
    fc.property(stream, ({ commits, cuts }) => {
      const expected = commits.map(([kind, size], i) => eventsOf(kind, size, i + 1));
      const groups = new CommitGroups();
      const told: (readonly ChangeEvent[])[] = [];
      for (const batch of repliesOf(expected.flat(), cuts)) {
        for (const { events, time } of groups.take(batch)) {
          if (events.some((event) => !event.time.equals(time))) return false;
          told.push(events);
        }
      }
      return !groups.open && JSON.stringify(told) === JSON.stringify(expected);
    }),
    { numRuns: 500 },
  );
  t.pass("500 streams");
});

t.test("a commit that is known to be whole is not waited for", async (t) => {
  const whole = (events: ChangeEvent[], more: Partial<Batch> = {}) => {
    return new CommitGroups().take({ events, through: undefined, full: false, ended: false, ...more }).length;
  };
  t.equal(whole(eventsOf("single", 1, 1)), 1);
  t.equal(whole(eventsOf("batch", 5, 1)), 1, "it says itself where it ends");
  t.equal(whole(eventsOf("foreign", 5, 1)), 0, "another program's may have a document too large for this reply");
  t.equal(whole(eventsOf("foreign", 5, 1), { through: time(2) }), 1);
  t.equal(whole(eventsOf("batch", 5, 1), { full: true }), 0);
  t.equal(whole(eventsOf("batch", 5, 1).slice(0, 3)), 0);
  t.equal(whole(eventsOf("foreign", 5, 1), { ended: true }), 1);
});

function time(n: number): Timestamp {
  return new Timestamp({ t: 1_800_000_000, i: n * 10 });
}

function eventsOf(kind: Kind, size: number, n: number): ChangeEvent[] {
  const common = { kind: "put", collection: "notes", insert: true, time: time(n) } as const;
  if (kind === "single") return [{ ...common, id: "a", document: BSON.serialize({ n }), transaction: undefined }];
  const events: ChangeEvent[] = Array.from({ length: size }, (_, i) => {
    return { ...common, id: `d${i}`, document: BSON.serialize({ n }), transaction: `t${n}` };
  });
  // A record of a keyed write is no end by itself.
  if (kind === "batch") {
    events.push({ ...common, collection: "_commits", id: "r", document: BSON.serialize({}), transaction: `t${n}` });
    events.push({
      ...common,
      collection: "_commits",
      id: "m",
      document: BSON.serialize({ _l: "m" }),
      transaction: `t${n}`,
    });
  }
  return events;
}

/** Replies as the server makes them: it stops early only when the reply is full, and says so by having room or not. */
function* repliesOf(events: readonly ChangeEvent[], cuts: Iterable<[number, boolean]>): Generator<Batch> {
  let from = 0;
  for (const [length, looked] of cuts) {
    if (from === events.length) break;
    const to = Math.min(events.length, from + length);
    const part = events.slice(from, to);
    if (part.length === 0) continue;
    const last = part.at(-1) as ChangeEvent;
    const inside = events[to]?.time.equals(last.time) ?? false;
    from = to;
    // Only where the next event is of a later time can the server have looked beyond this one.
    const through = looked && !inside ? new Timestamp({ t: last.time.t, i: last.time.i + 5 }) : last.time;
    yield { events: part, through, full: inside || length === 7, ended: false };
  }
  yield { events: [], through: undefined, full: false, ended: false };
}
