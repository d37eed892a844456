/** Lists of live queries against a model: every document in an array, sorted anew (live-queries.md 6 and 15.2). */

import t from "tap";
import type { ObjectValue } from "#protocol/values";
import { type ListOutcome, spareRows, WindowList } from "../../server/realtime/windows/window.ts";
import { type ListChange, type ListRow, listRow } from "../../server/realtime/windows/window-row.ts";
import { Random } from "../support/trap-pool.ts";
import { sortOf, WindowModel } from "../support/window-model.ts";

const SEED = 20_261_126;
const SORTS = ["", "-_id", "a", "-a", "a,-b", "-a,b", "-a.b", "b,a", "-_createdAt"];

t.test("a list is the query run anew, its changes fold to what is visible, and it knows what it holds", async (t) => {
  const random = new Random(SEED);
  const faults: string[] = [];
  const counts = { events: 0, refills: 0, short: 0, silent: 0 };
  for (let n = 0; counts.events < 110_000; n++) {
    const limit = random.pick([1, 1, 2, 3, 5, 10, 25]);
    const model = new WindowModel(random, { limit, sort: random.pick(SORTS) });
    for (let commit = 0; commit < 60; commit++)
      counts.events += model.commit(1 + random.below(random.pick([1, 2, 4, 12])));
    model.addTo(counts, faults, `model ${n} of seed ${SEED}`);
  }
  t.same(faults.slice(0, 3), []);
  t.ok(counts.refills > 500 && counts.short > 1000 && counts.silent > 1000, JSON.stringify(counts));
});

t.test("the greatest list and commits larger than its spare rows", async (t) => {
  const random = new Random(SEED + 1);
  const faults: string[] = [];
  const counts = { events: 0, refills: 0, short: 0, silent: 0 };
  for (const sort of ["a,-b", "-_id"]) {
    const model = new WindowModel(random, { limit: 1000, sort });
    for (let commit = 0; commit < 40; commit++) counts.events += model.commit(1 + random.below(random.pick([3, 500])));
    model.addTo(counts, faults, `sort ${sort} of seed ${SEED + 1}`);
  }
  t.same(faults.slice(0, 3), []);
  t.ok(counts.refills > 0, JSON.stringify(counts));
});

t.test("a document that leaves is taken out at once, and its successor is the first spare row", async (t) => {
  const list = listOf(3, 13, true);
  const gone = list.apply([{ id: "d01", row: undefined }]);
  t.same(told(gone), { rm: ["d01"], up: ["2 d03"] });
  t.same(gone.left, ["d01"]);
});

t.test("a commit that leaves too few rows shows an exact beginning, and the refill shows the rest", async (t) => {
  const list = listOf(3, 13, true);
  const emptied = list.apply(ids(0, 11).map((id) => ({ id, row: undefined })));
  t.same(told(emptied), { rm: ["d00", "d01", "d02"], up: ["0 d11", "1 d12"], short: true });
  t.ok(list.wantsRefill);
  const since = [[{ id: "d14", row: undefined }], [{ id: "d12", row: undefined }], [rowChange("d12", 9)]];
  for (const changes of since) list.apply(changes);
  const refilled = list.refill(
    ids(11, 20).map((id) => row(id)),
    false,
    since,
  );
  t.same(told(refilled), { rm: [], up: ["2 d13"], short: false });
  t.same(refilled.entered, ["d13", ...ids(15, 20)]);
  t.same([list.more, list.wantsRefill], [true, false]);
});

t.test("the last visible row, the bound and the row after it", async (t) => {
  const list = listOf(2, 12, true);
  t.same(told(list.apply([rowChange("d115")])), undefined, "beyond the bound nothing is known");
  t.same(list.size, 12);
  t.same(told(list.apply([{ id: "d11", row: undefined }])), undefined, "the row of the bound itself");
  t.same(list.apply([rowChange("d11", 2)]).entered, ["d11"], "the bound stays where it was");
  t.same(told(list.apply([rowChange("d015")])), undefined, "just behind the visible ones");
  t.same(told(list.apply([rowChange("d005")])), { rm: ["d01"], up: ["1 d005"] }, "in front of the last visible one");
  t.same(list.size, 12, "what was too much is given up");
});

t.test("as many rows as are visible, and a bound: whether more follow has to be read", async (t) => {
  const list = listOf(2, 12, true);
  list.apply(ids(2, 12).map((id) => ({ id, row: undefined })));
  t.same([list.size, list.short, list.wantsRefill, list.more], [2, false, true, true]);
  t.same(
    told(
      list.refill(
        ids(0, 2).map((id) => row(id)),
        false,
      ),
    ),
    { rm: [], up: [], more: false },
  );
});

t.test("where a refill says otherwise than the list, it has the last word", async (t) => {
  const list = listOf(3, 3, false);
  const other = [row("d00", 2), row("d02"), row("e")];
  t.same(told(list.refill(other, false)), { rm: ["d01"], up: ["0 d00", "2 e"] });
});

t.test("rows pushed out of the list by one commit are taken out of what is visible", async (t) => {
  const list = listOf(2, 12, true);
  const first = ids(0, 30).map((id) => rowChange(`c${id}`));
  const pushed = list.apply(first);
  t.same(told(pushed), { rm: ["d00", "d01"], up: ["0 cd00", "1 cd01"] });
  t.same(pushed.entered.length, 12);
  t.same(pushed.left, ids(0, 12));
});

t.test("a list loaded anew tells which documents it no longer holds", async (t) => {
  const list = listOf(2, 3, false);
  t.same(list.load([row("d01"), row("e")], false), { entered: ["e"], left: ["d00", "d02"] });
});

t.test("a document with two different arrays on the sort's paths ends the question, as find refuses it", async (t) => {
  const sort = sortOf("a,b");
  const document = (value: ObjectValue) => ({ id: "x", version: 1, value: { _id: "x", ...value } });
  t.throws(() => listRow(sort, document({ a: [1], b: [2] })), {
    code: "invalid_argument",
    details: { faults: [{ path: "sort", code: "sort_parallel_arrays" }] },
  });
  t.same(listRow(sort, document({ a: [3, 1], b: 2 })).key, [1, 2, "x"]);
});

function ids(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, n) => `d${String(from + n).padStart(2, "0")}`);
}

function row(id: string, version = 1): ListRow {
  return { id, version, key: [id] };
}

function rowChange(id: string, version = 1): ListChange {
  return { id, row: row(id, version) };
}

/** `size` rows by id, of which `limit` are visible. */
function listOf(limit: number, size: number, more: boolean): WindowList {
  const list = new WindowList(sortOf(""), limit);
  if (more && size !== limit + spareRows(limit)) throw new Error("a load that says there is more is full");
  list.load(
    ids(0, size).map((id) => row(id)),
    more,
  );
  return list;
}

function told({ delta }: ListOutcome) {
  return delta && { ...delta, up: delta.up.map(([index, { id }]) => `${index} ${id}`) };
}
