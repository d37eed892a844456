/** How a client folds a delta into a list, and what it says has changed: against the plain words of live-queries.md 7.1. */
import fc from "fast-check";
import t from "tap";
import { applyDelta } from "#protocol/delta";
import { changesOf } from "../../sdk/live/changes.ts";

interface Row {
  readonly _id: string;
  readonly _v: number;
}

const IDS = ["a", "b", "c", "d", "e", "f", "g"];
/** Lists without repeats, in any order and at any versions. */
const list = fc.shuffledSubarray(IDS).chain((ids) => {
  const rows = ids.map((_id) => fc.record({ _id: fc.constant(_id), _v: fc.integer({ min: 1, max: 2 }) }));
  return fc.tuple(...rows) as fc.Arbitrary<Row[]>;
});

/** The same list where a row is the same one at the same version: documents keep their identity. */
function steady(before: readonly Row[], after: readonly Row[]): Row[] {
  return after.map((row) => before.find(({ _id, _v }) => _id === row._id && _v === row._v) ?? row);
}

t.test("a delta leads from one list to the other, and a second time nowhere else", (t) => {
  fc.assert(
    fc.property(list, list, (before, given) => {
      const after = steady(before, given);
      const now = new Set(after.map(({ _id }) => _id));
      const rm = before.map(({ _id }) => _id).filter((id) => !now.has(id));
      // Of each that is not as it was where it was: its final place.
      const up = after.flatMap((row, at) => (before[at] === row ? [] : [[at, row] as const]));
      const delta = { prev: "h.1", ...(rm.length > 0 && { rm }), up };
      const kept = after.filter((row, at) => before[at] === row);
      // What stays unnamed must stand in the order that it had: else it is named as well.
      const order = kept.map((row) => before.indexOf(row));
      fc.pre(order.every((place, at) => at === 0 || (order[at - 1] as number) < place));
      const made = applyDelta(before, delta);
      t.same(made, after);
      t.same(applyDelta(made, delta), after);
    }),
    { numRuns: 500 },
  );
  const rows: Row[] = [{ _id: "a", _v: 1 }];
  t.equal(applyDelta(rows, { prev: "h.1" }), rows, "nothing changes nothing");
  t.end();
});

t.test("changes are net: what goes by its old place, then what comes, moves or changes by its new one", (t) => {
  fc.assert(
    fc.property(list, list, (before, given) => {
      const after = steady(before, given);
      const changes = changesOf(before, after);
      const placed = new Map(after.map((row, at) => [row._id, at]));
      const was = new Map(before.map((row, at) => [row._id, at]));
      for (const { type, id, document, from, to } of changes) {
        t.same([from, to], [was.get(id) ?? -1, placed.get(id) ?? -1]);
        t.equal(document, type === "removed" ? before[from] : after[to]);
        const isSame = before[from] === after[to];
        const right = to < 0 ? "removed" : from < 0 ? "added" : isSame ? "moved" : "updated";
        t.equal(type, right);
      }
      // Taken out and put in as they say, the old list is the new one.
      const told = new Set(changes.map(({ id }) => id));
      const result = before.filter(({ _id }) => !told.has(_id));
      for (const { document, to } of changes) if (to >= 0) result.splice(to, 0, document);
      t.same(result, after);
      const stayed = after.filter(({ _id }) => !told.has(_id)).length;
      t.equal(stayed, longestRun(after.flatMap((row) => (before.includes(row) ? [before.indexOf(row)] : []))));
    }),
    { numRuns: 500 },
  );
  t.end();
});

/** How many of them, at most, rise one after the other: tried from each on. */
function longestRun(places: readonly number[]): number {
  const runs: number[] = [];
  for (const [n, place] of places.entries()) {
    runs.push(1 + Math.max(0, ...runs.filter((_, before) => (places[before] as number) < place && before < n)));
  }
  return Math.max(0, ...runs);
}
