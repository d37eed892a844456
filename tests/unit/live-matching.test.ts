/** The index of live queries against a model: every filter tried on every document (live-queries.md 5 and 15.2). */

import t from "tap";
import { compileFilter } from "#protocol/match";
import { encodeValue, INT64_MAX, type ObjectValue, type Value } from "#protocol/values";
import type { spanOf } from "../../server/realtime/matching/edges.ts";
import { createMatching, type Matching, type Watcher } from "../../server/realtime/matching/matching.ts";
import { SpanTree } from "../../server/realtime/matching/span-tree.ts";
import { filterOf, MatchingModel } from "../support/matching-model.ts";
import { Random } from "../support/trap-pool.ts";

const SEED = 20_261_126;

t.test("candidates are all that match and all that hold, whatever comes and goes", async (t) => {
  const random = new Random(SEED);
  const faults: string[] = [];
  const counts = { documents: 0, found: 0, matches: 0, tried: 0, residual: 0, windows: 0 };
  for (let n = 0; counts.documents < 100_000; n++) {
    const model = new MatchingModel(random);
    for (let i = 0; i < 14; i++) model.join();
    for (let i = 0; i < 1000; i++) {
      if (random.chance(2)) model.leave();
      if (random.chance(2)) model.join();
      model.change(counts);
    }
    model.addTo(counts, faults, `model ${n} of seed ${SEED}`);
  }
  t.same(faults.slice(0, 3), []);
  t.ok(counts.matches > 100_000, "they match often enough to prove something");
  t.ok(counts.residual < counts.windows / 2, `values find most of them: ${JSON.stringify(counts)}`);
  t.ok(counts.found < counts.tried * 0.75, `it leaves out what it can: ${JSON.stringify(counts)}`);
});

/** Filter, what it must find, and what it must not even look at. */
const CASES: readonly (readonly [filter: object, found: readonly Value[], passed: readonly Value[]])[] = [
  [{ a: 1 }, [1, [2, 1], 1n], ["1", true, null, 2, new Date(1), [[1]]]],
  [{ a: { $numberLong: `${INT64_MAX}` } }, [INT64_MAX, [INT64_MAX]], [2 ** 63, INT64_MAX - 1n]],
  [{ a: null }, [null, [null]], [0, "", "null", false, []]],
  [{ a: { $date: 0 } }, [new Date(0)], [0, "1970-01-01T00:00:00.000Z", new Date(1)]],
  [{ a: [1, "b"] }, [[1n, "b"], [[1, "b"]]], [["b", 1], [1], 1]],
  [
    { a: { x: 1, y: 2 } },
    [
      { x: 1, y: 2 },
      { x: 1n, y: 2 },
    ],
    [{ y: 2, x: 1 }, { x: 1 }],
  ],
  [{ a: { $in: ["x", null, 3] } }, ["x", null, 3n, ["y", 3]], ["y", [[3]]]],
  [{ "a.b": 1 }, [{ b: 1 }, [{ b: [1] }]], [{ b: 2 }, [[{ b: 1 }]], 1]],
  [{ "a.b": null }, [{}, { b: null }, 4, [{}]], [{ b: 1 }, [], [4]]],
  [{ "a.0": 1 }, [[1], { 0: 1 }, [{ 0: 1 }]], [[[1]], [2]]],
  [{ a: { $gt: 3, $lt: 5 } }, [4, 4n, [1, 10]], [3, 5, "4", [6, 7]]],
  [{ a: { $gt: 5, $lt: 3 } }, [[1, 10]], [4, [3, 5]]],
  [{ a: { $gte: "b" } }, ["b", "c", "😀"], ["a", 1, new Uint8Array([1])]],
  [{ a: { $lte: { $date: 5 } } }, [new Date(5), new Date(-1)], [new Date(6), 5]],
  [{ a: { $lt: true } }, [false], [true, 0]],
  [{ a: { $startsWith: "ab" } }, ["ab", "abc", "ab\u{10ffff}z", ["x", "abz"]], ["aa", "ac", "AB", ["a", "aa"]]],
  [{ a: { $startsWith: "a\u{10ffff}" } }, ["a\u{10ffff}", "a\u{10ffff}b"], ["a", "b"]],
  [{ a: { $startsWith: "\ud7ff" } }, ["\ud7ff!"], ["\ue000", "😀"]],
  [{ a: { $elemMatch: { $gte: 2, $lt: 4 } } }, [[3], [9, 2]], [[4], [1]]],
  [{ a: { $elemMatch: { b: 1 } } }, [[{ b: 1 }], [{ b: [1] }]], [[{ b: 2 }], [1]]],
  [{ a: { $elemMatch: { b: null } } }, [[{}], [[7]]], []],
  [{ a: { $elemMatch: { 0: 7 } } }, [[[7]]], []],
  [{ a: { $elemMatch: { $elemMatch: { $eq: 7 } } } }, [[[7]]], []],
  [{ "a.0": { $elemMatch: { $eq: 7 } } }, [[[7]]], []],
  [{ a: { $all: [1, 2] } }, [[1, 2]], [[3], 3]],
  [{ $or: [{ a: 1 }, { a: { $gt: 7 } }] }, [1, 8], [7, "1"]],
  [{ a: { $ne: 1 } }, [2, null], []],
  [{ a: { $contains: "b" } }, ["abc"], []],
];

t.test("each class of value, array and path is found where the language finds it", async (t) => {
  const faults: string[] = [];
  for (const [input, found, passed] of CASES) {
    const filter = filterOf(input);
    const matching = createMatching<Watcher>();
    matching.add({ collection: "c", filter });
    const accepts = compileFilter(filter);
    for (const value of found) {
      if (!accepts({ a: value })) faults.push(`${JSON.stringify(input)} does not accept ${encodeValue(value)}`);
      if (touched(matching, { a: value }) !== 1) faults.push(`${JSON.stringify(input)} misses ${encodeValue(value)}`);
    }
    for (const value of passed) {
      if (touched(matching, { a: value }) > 0) faults.push(`${JSON.stringify(input)} looks at ${encodeValue(value)}`);
    }
  }
  t.same(faults, []);
});

t.test("a missing field is found as null, and fields that a document lacks cost it nothing", async (t) => {
  const matching = createMatching<Watcher>();
  for (const input of [{ a: null }, { "a.b": null }, { "b.c": { $in: [null, 1] } }, { c: 1 }]) add(matching, input);
  t.equal(touched(matching, { z: 1 }), 3);
  t.equal(touched(matching, { a: { b: 1 }, b: { c: 2 }, c: 1 }), 1);
  const one = add(matching, { d: null });
  t.equal(touched(matching, {}), 4);
  matching.remove(one, []);
  t.equal(touched(matching, {}), 3);
});

t.test("other collections, unknown windows and the same window twice", async (t) => {
  const matching = createMatching<Watcher>();
  const window = add(matching, { a: 1 });
  matching.add(window);
  matching.hold(window, "x");
  matching.hold(window, "x");
  t.same(matching.touched("c", "x", { a: 1 }), [window]);
  t.same(matching.touched("d", "x", { a: 1 }), []);
  matching.release(window, "x");
  t.same(matching.touched("c", "x", undefined), []);
  matching.hold(window, "x");
  matching.remove(window, ["x"]);
  t.same(matching.touched("c", "x", { a: 1 }), []);
  matching.hold(window, "x");
  matching.remove(window, ["x"]);
  t.same(matching.touched("c", "x", { a: 1 }), [], "a window that has gone holds nothing");
});

t.test("windows that no value can find are few, and the refusal names the field that would help", async (t) => {
  const matching = createMatching<Watcher>(2);
  const first = add(matching, { a: { $ne: 1 } });
  add(matching, { title: { $contains: "x" } });
  t.equal(matching.residual, 2);
  t.throws(() => add(matching, { $or: [{ status: { $ne: "done" } }, { b: 1 }] }), {
    code: "index_required",
    message: /a value, a list of values or a range of "status"/,
    details: { index: { paths: ["status"] } },
  });
  add(matching, { status: { $ne: "done" }, author: "u1" });
  add(matching, {});
  add(matching, { $or: [{ a: 1 }, { b: { $lt: 7 } }] });
  t.equal(matching.residual, 2, "those with a value, and those that take every document, are not counted");
  matching.remove(first, []);
  add(matching, { b: { $exists: true } });
  t.equal(matching.residual, 2);
});

t.test("growth: what a document looks at hangs on what it meets, not on how many windows there are", async (t) => {
  const looks = [100, 1000].map((size) => {
    const matching = createMatching<Watcher>();
    for (let n = 0; n < size; n++) for (const input of shapes(n)) add(matching, input);
    const counted = counting({ ...MEETS_EACH, tags: ["none", "t7"], score: 75 });
    const candidates = matching.touched("c", "x", counted.document).length;
    const nothing = counting({ author: "nobody", status: "closed", tags: [], score: -1 });
    t.equal(matching.touched("c", "x", nothing.document).length, 0);
    return { candidates, reads: counted.reads(), readsOfNothing: nothing.reads() };
  });
  t.same(looks[1], looks[0]);
  t.equal(looks[0]?.candidates, shapes(7).length);
});

t.test("growth: a rule's value wins over what all windows ask for", async (t) => {
  const matching = createMatching<Watcher>();
  for (let n = 0; n < 500; n++) {
    add(matching, { status: "open", archived: false, author: `u${n}` });
    add(matching, { status: "open", $or: [{ owner: `u${n}` }, { members: `u${n}` }] });
  }
  const found = matching.touched("c", "x", { status: "open", archived: false, author: "u9", owner: "u8", members: [] });
  t.ok(found.length <= 4, `${found.length} candidates`);
});

t.test("growth: a range is found by comparisons that grow with the logarithm", async (t) => {
  const [few, many] = [1000, 16_000].map(comparisonsAmong) as [number, number];
  t.ok(many <= few * 2, `${few} comparisons among 1,000 ranges, ${many} among 16,000`);
});

t.test("ranges come and go and the tree finds what a list would", async (t) => {
  const random = new Random(SEED + 2);
  const tree = new SpanTree<{ n: number }>((a, b) => Number(a) - Number(b));
  const there = new Map<{ n: number }, ReturnType<typeof spanOf>>();
  const faults: string[] = [];
  const edge = () => (random.chance(15) ? undefined : { value: random.below(40), after: random.chance(50) });
  for (let n = 0; n < 3000; n++) {
    if (there.size < random.below(400)) {
      const [item, span] = [{ n }, { from: edge(), to: edge() }];
      there.set(item, span);
      tree.add(span, item);
    } else {
      for (const [item, span] of random.some([...there], 1)) {
        there.delete(item);
        tree.remove(span, item);
      }
    }
    const least = random.below(42) - 1;
    const greatest = least + random.below(5);
    const found = new Set<{ n: number }>();
    tree.meeting(least, greatest, (item) => found.add(item));
    const expected = [...there].filter(([, { from, to }]) => {
      const past = !from || greatest > Number(from.value) || (greatest === from.value && !from.after);
      return past && (!to || least < Number(to.value) || (least === to.value && to.after));
    });
    if (found.size !== expected.length || expected.some(([item]) => !found.has(item))) faults.push(`step ${n}`);
  }
  for (const [item, span] of there) tree.remove(span, item);
  t.same(faults, []);
  t.ok(tree.empty);
});

/** Filters as apps have them, each of which one value of `n` finds. */
function shapes(n: number): object[] {
  return [
    { author: `u${n}`, status: { $ne: "closed" } },
    { status: "open", room: `r${n}` },
    { tags: `t${n}`, likes: { $gte: n % 5 } },
    { score: { $gte: 10 * n, $lt: 10 * n + 10 } },
    { code: { $startsWith: `code-${n}-` } },
    { $or: [{ owner: `u${n}` }, { members: `u${n}` }], deletedAt: null },
    { team: { $in: [`x${n}`, `y${n}`, `z${n}`] } },
  ];
}

const MEETS_EACH: ObjectValue = {
  author: "u7",
  status: "open",
  room: "r7",
  code: "code-7-b",
  owner: "u7",
  team: "y7",
};

/** A document that counts how often it is looked into. */
function counting(document: ObjectValue): { readonly document: ObjectValue; readonly reads: () => number } {
  let reads = 0;
  const watched = new Proxy(document, {
    get: (target, name) => {
      reads++;
      return Reflect.get(target, name);
    },
    getOwnPropertyDescriptor: (target, name) => {
      reads++;
      return Reflect.getOwnPropertyDescriptor(target, name);
    },
  });
  return { document: watched, reads: () => reads };
}

/** How often values are compared to find three ranges among many. */
function comparisonsAmong(size: number): number {
  let comparisons = 0;
  const tree = new SpanTree<object>((a, b) => {
    comparisons++;
    return Number(a) - Number(b);
  });
  for (let n = 0; n < size; n++) {
    const place = (n * 7919) % size;
    tree.add({ from: { value: place, after: false }, to: { value: place + 3, after: false } }, { place });
  }
  comparisons = 0;
  let found = 0;
  for (let n = 0; n < 100; n++) tree.meeting(10 + n * 3, 10 + n * 3, () => found++);
  if (found !== 300) throw new Error(`expects 300 ranges, got ${found}`);
  return comparisons;
}

function add(matching: Matching<Watcher>, input: object): Watcher {
  const window = { collection: "c", filter: filterOf(input) };
  matching.add(window);
  return window;
}

function touched(matching: Matching<Watcher>, document: ObjectValue): number {
  return matching.touched("c", "x", document).length;
}
