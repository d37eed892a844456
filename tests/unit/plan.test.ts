import t from "tap";
import { planQuery } from "../../server/stores/plan.ts";
import { adviseIndex } from "../../server/stores/plan-advice.ts";
import { indexTable } from "../support/index-tables.ts";
import { definitionOf, filterOf, scenario, sortOf } from "../support/plan-scenario.ts";

const ONE_TAG = [{ a: 4, b: 1 }, { a: 7, b: 2 }, { b: 3 }, { a: "x", b: 4 }];
const MANY = [{ a: [1, 10] }, { a: 4 }, { a: [4] }, { a: [] }, {}, { a: null }, { a: [[4]] }];

t.test("tests that a key decides are bounds, and leave nothing to evaluate", async (t) => {
  const rows: [filter: unknown, access: string, exact: boolean][] = [
    [{ a: 4 }, "a =", true],
    [{ a: "x" }, "a =", true],
    [{ a: { b: 1 } }, "a =", true],
    [{ a: null }, "a =", true],
    [{ a: [] }, "a in 2", true],
    [{ a: [4, 5] }, "a in 2", false],
    [{ a: { $in: [4, "x", null] } }, "a in 3", true],
    [{ a: { $in: [[4], 5] } }, "a in 3", false],
    [{ a: { $gt: 3 } }, "a <>", true],
    [{ a: { $lte: "m" } }, "a <>", true],
    [{ a: { $startsWith: "x" } }, "a <>", true],
    [{ a: { $endsWith: "x" } }, "a <>", false],
    [{ a: { $contains: "x" } }, "a <>", false],
    [{ a: { $type: ["string", "number"] } }, "a <>", true],
    [{ a: { $type: ["number", "int64"] } }, "a <>", true],
    [{ a: { $type: "int64" } }, "a <>", false],
    [{ a: { $type: "null" } }, "a =", false],
    [{ a: { $type: ["array", "string"] } }, "scan", false],
    [{ a: { $size: 0 } }, "a =", true],
    [{ a: { $size: 1 } }, "scan", false],
    [{ a: { $mod: [2, 0] } }, "a <>", false],
    [{ a: { $exists: false } }, "a =", false],
    [{ a: { $elemMatch: { $gt: 3, $lt: 5 } } }, "a <>", false],
    [{ a: { $all: [4, 10] } }, "a =", false],
    [{ a: { $in: [] } }, "none", true],
    [{}, "scan", true],
  ];
  const longs = [{ a: 5n }, { a: 2n ** 53n + 1n }, { a: { b: 1 } }, { a: [5, 4] }, { a: [[]] }, { a: { b: 1n } }];
  for (const [filter, access, exact] of rows) {
    const outcome = scenario({ documents: [...MANY, ...ONE_TAG, ...longs], indexes: [["a"]], filter });
    t.same([outcome.access, outcome.exact], [access, exact], JSON.stringify(filter));
  }
});

t.test("negations and exists never narrow", async (t) => {
  const tests = [{ $ne: 4 }, { $nin: [4] }, { $not: { $gt: 3 } }, { $exists: true }, { $not: { $type: "number" } }];
  for (const test of tests) {
    const { access } = scenario({ documents: [...MANY, ...ONE_TAG], indexes: [["a"]], filter: { a: test } });
    t.equal(access, "scan", JSON.stringify(test));
  }
});

t.test("a path with a numeric segment never narrows, inside $elemMatch neither", async (t) => {
  const documents = [{ a: [[5]] }, { a: [{ b: 5 }] }, { a: { "0": { b: 5 } } }];
  for (const filter of [{ "a.0": 5 }, { "a.0.b": 5 }, { a: { $elemMatch: { "0": 5 } } }]) {
    const { access } = scenario({ documents, indexes: [["a"], ["a.b"]], filter });
    t.equal(access, "scan", JSON.stringify(filter));
  }
});

t.test("null behind an array is narrowed but evaluated: a path may yield nothing there", async (t) => {
  const documents = [{ a: [4] }, { a: [] }, { a: 4 }, {}, { a: [{ b: 1 }, { c: 1 }] }];
  const { access, exact, ids } = scenario({ documents, indexes: [["a.b"]], filter: { "a.b": null } });
  t.same([access, exact, ids], ["a.b =", false, ["d2", "d3", "d4"]]);
});

t.test("two tests of one path bound it together only if no document has several keys there", async (t) => {
  const filter = { a: { $gt: 3, $lt: 5 } };
  const single = scenario({ documents: ONE_TAG, indexes: [["a"]], filter });
  t.same([single.access, single.exact, single.ids], ["a <>", true, ["d0"]]);
  const several = scenario({ documents: MANY, indexes: [["a"]], filter });
  t.same([several.access, several.exact, several.ids.includes("d0")], ["a <>", false, true]);
  t.equal(scenario({ documents: ONE_TAG, indexes: [["a"]], filter: { a: { $gte: 4, $lte: 4 } } }).access, "a =");
  t.equal(scenario({ documents: ONE_TAG, indexes: [["a"]], filter: { a: { $gt: 5, $lt: 3 } } }).access, "none");
});

t.test("paths through one array are bounded together only where $elemMatch binds them to one element", async (t) => {
  const documents = [
    {
      a: [
        { b: 1, c: 9 },
        { b: 2, c: 3 },
      ],
    },
    { a: [{ b: 1, c: 3 }] },
    {
      a: [
        {
          d: [
            { x: 1, y: 2 },
            { x: 3, y: 4 },
          ],
        },
      ],
    },
    { a: [{ d: [{ x: 1, y: 4 }] }] },
  ];
  const pair = scenario({ documents, indexes: [["a.b", "a.c"]], filter: { "a.b": 1, "a.c": 3 } });
  t.same([pair.access, pair.ids.toSorted()], ["a.b =, a.c", ["d0", "d1"]]);
  const bound = scenario({ documents, indexes: [["a.b", "a.c"]], filter: { a: { $elemMatch: { b: 1, c: 3 } } } });
  t.same([bound.access, bound.ids], ["a.b =, a.c =", ["d1"]]);
  const deeper = { a: { $elemMatch: { "d.x": 1, "d.y": 4 } } };
  const nested = scenario({ documents, indexes: [["a.d.x", "a.d.y"]], filter: deeper });
  t.same([nested.access, nested.ids], ["a.d.x =, a.d.y", ["d2", "d3"]]);
  const deepest = { a: { $elemMatch: { d: { $elemMatch: { x: 1, y: 4 } } } } };
  t.same(scenario({ documents, indexes: [["a.d.x", "a.d.y"]], filter: deepest }).access, "a.d.x =, a.d.y =");
  const mixed = { "a.c": 3, a: { $elemMatch: { b: 1 } } };
  t.same(scenario({ documents, indexes: [["a.b", "a.c"]], filter: mixed }).access, "a.b =, a.c");
});

t.test("paths that cannot share an array are bounded together", async (t) => {
  const documents = [
    { tags: ["x", "y"], by: 1 },
    { tags: "x", by: [1, 2] },
    { tags: ["y"], by: 1 },
    { tags: ["x", "z"] },
  ];
  const { access, exact, ids } = scenario({ documents, indexes: [["tags", "by"]], filter: { tags: "x", by: 1 } });
  t.same([access, exact, ids], ["tags =, by =", true, ["d0", "d1"]]);
});

t.test("the value form of $elemMatch takes arrays as they are", async (t) => {
  const documents = [{ a: [[]] }, { a: [] }, { a: [[4]] }, { a: [4] }, { a: [[[4]]] }];
  const rows: [unknown, string[]][] = [
    [{ $size: 0 }, ["d0"]],
    [{ $eq: [4] }, ["d2"]],
    [{ $in: [[], [4]] }, ["d0", "d2"]],
    [{ $type: "array" }, ["d0", "d2", "d4"]],
    [{ $elemMatch: { $eq: 4 } }, ["d2"]],
  ];
  for (const [test, ids] of rows) {
    const outcome = scenario({ documents, indexes: [["a"]], filter: { a: { $elemMatch: test } } });
    t.not(outcome.access, "scan", JSON.stringify(test));
    t.same(outcome.ids.toSorted(), ids, JSON.stringify(test));
  }
});

t.test("a unique index, which leaves documents out, serves only filters that leave them out too", async (t) => {
  const documents = [{ a: 1, b: 1 }, { a: 2 }, { a: null, b: 2 }, { b: 3 }, { a: [1, 3], b: 4 }];
  const plan = (filter: unknown, sort?: unknown) =>
    scenario({ documents, indexes: [["unique", "a", "b"]], filter, sort }).access;
  t.equal(plan({ a: 1, b: 1 }), "a =, b =");
  t.equal(plan({ a: 1 }), "scan");
  t.equal(plan({ a: null, b: 2 }), "scan");
  t.equal(plan({ a: { $in: [1, null] }, b: 1 }), "scan");
  t.equal(plan({ a: { $exists: false }, b: 3 }), "scan");
  t.equal(plan({ a: 1, b: { $exists: true } }), "a =, b");
  t.equal(plan({ a: { $gt: 0 }, b: { $ne: 9 } }), "scan");
  t.equal(plan({}, ["a", "b"]), "scan");
  t.equal(plan({}, "_id"), "_id");
  const names = [{ name: "ann" }, { name: "bob" }, {}, { name: "al" }];
  const typed = scenario({
    documents: names,
    indexes: [["unique", "name"]],
    filter: { name: { $startsWith: "a" } },
    sort: "name",
  });
  t.same([typed.access, typed.plan.ordered, typed.ids], ["name <>", true, ["d3", "d0"]]);
});

t.test("index order serves the sort that is declared, either way round, with _id last", async (t) => {
  const documents = [
    { by: "u", at: 2, n: 1 },
    { by: "u", at: 1, n: 1 },
    { by: "v", at: 3, n: 2 },
    { by: "u", at: 2, n: 0 },
  ];
  const indexes = [["by", "-at"]];
  const rows: [filter: unknown, sort: unknown, access: string, ordered: boolean][] = [
    [{ by: "u" }, "-at", "by =, -at", true],
    [{ by: "u" }, "at", "by =, -at backward", true],
    [{ by: "u" }, ["-at", "_id"], "by =, -at", false],
    [{ by: "u", at: { $lt: 2 } }, "-at", "by =, -at <>", true],
    [{ by: "u", at: { $in: [1, 2] } }, "-at", "by =, -at in 2", true],
    [{ by: "u", at: 2 }, "_id", "by =, -at = backward", true],
    [{ by: "u", at: 2 }, "-_id", "by =, -at =", true],
    [{ by: "u" }, ["by", "-at"], "by =, -at", true],
    [{ by: "u" }, ["-at", "-by"], "by =, -at", true],
    [{ by: { $in: ["u", "v"] } }, "-at", "by in 2, -at", false],
    [{ by: "u" }, "n", "by =, -at", false],
    [{ by: "u" }, ["-at", "n"], "by =, -at", false],
    [{ by: "u" }, "-_id", "by =, -at", false],
    [{}, ["by", "-at"], "by, -at", true],
    [{}, ["-by", "at"], "by, -at backward", true],
    [{}, ["by", "at"], "scan", false],
    [{}, "by", "scan", false],
    [{}, "-at", "scan", false],
    [{}, "-_id", "_id backward", true],
    [{ n: 1 }, ["by", "-at"], "by, -at", true],
  ];
  for (const [filter, sort, access, ordered] of rows) {
    const { plan, ...outcome } = scenario({ documents, indexes, filter, sort });
    t.same([outcome.access, plan.ordered], [access, ordered], JSON.stringify([filter, sort]));
    t.equal(plan.repeats, false);
  }
});

t.test("a page by author and time evaluates nothing", async (t) => {
  const documents = [
    { by: "u", at: new Date(1) },
    { by: "u", at: new Date(2) },
    { by: "v", at: new Date(3) },
  ];
  const filter = { by: "u", at: { $gte: { $date: 0 }, $lt: { $date: 9 } } };
  const { plan, exact, ids } = scenario({ documents, indexes: [["by", "-at"]], filter, sort: "-at" });
  t.same([plan.ordered, plan.repeats, exact, ids], [true, false, true, ["d1", "d0"]]);
});

t.test("index order over several keys in a document holds only if the bounds hide none of them", async (t) => {
  const documents = [{ a: [1, 10], b: 5 }, { a: 4, b: 6 }, { a: [], b: 7 }, { b: 8 }];
  const plan = (paths: string[], filter: unknown, sort: unknown) => {
    const { plan: made, ids } = scenario({ documents, indexes: [paths], filter, sort });
    return [made.ordered, made.repeats, ids.join()];
  };
  t.same(plan(["a"], {}, "a"), [true, true, "d2,d3,d0,d1"]);
  t.same(plan(["a"], { b: { $gt: 5 } }, "a"), [true, true, "d2,d3,d1"]);
  t.same(plan(["a"], { a: { $gt: 5 } }, "a")[0], false);
  t.same(plan(["a"], { a: 10 }, "a")[0], false);
  t.same(plan(["a"], { a: 10 }, "_id"), [true, false, "d0"]);
  t.same(plan(["a", "b"], { a: 10 }, ["a", "b"])[0], false);
  t.same(plan(["a", "b"], { a: 10 }, "b"), [true, false, "d0"]);
});

t.test("equal tags of one array stay in the order of another path that passes through none", async (t) => {
  const documents = [
    { tags: ["x", "y"], at: 2 },
    { tags: ["x"], at: 3 },
    { tags: ["y"], at: 1 },
    { tags: "x", at: [1, 9] },
  ];
  const { plan, ids } = scenario({ documents, indexes: [["tags", "-at"]], filter: { tags: "x" }, sort: "-at" });
  t.same([plan.ordered, plan.repeats, ids], [true, true, ["d3", "d1", "d0"]]);
  const paired = [
    {
      a: [
        { b: 1, c: 9 },
        { b: 2, c: 1 },
      ],
    },
    { a: [{ b: 1, c: 5 }] },
  ];
  const through = scenario({ documents: paired, indexes: [["a.b", "a.c"]], filter: { "a.b": 1 }, sort: "a.c" });
  t.equal(through.plan.ordered, false);
});

t.test("_id is served by itself", async (t) => {
  const documents = [{ a: 1 }, { a: 2 }, { a: 3 }];
  const rows: [filter: unknown, access: string, exact: boolean][] = [
    [{ _id: "d1" }, "_id =", true],
    [{ _id: { $in: ["d1", "d2", 5] } }, "_id in 2", true],
    [{ _id: { $gt: "d0", $lte: "d1" } }, "_id <>", true],
    [{ _id: { $startsWith: "d" } }, "_id <>", true],
    [{ _id: 5 }, "none", true],
    [{ _id: null }, "none", true],
    [{ _id: "d1", a: 2 }, "_id =", false],
    [{ _id: { $ne: "d1" } }, "scan", false],
  ];
  for (const [filter, access, exact] of rows) {
    const outcome = scenario({ documents, indexes: [["a"]], filter });
    t.same([outcome.access, outcome.exact], [access, exact], JSON.stringify(filter));
  }
});

t.test("an or uses an index for each branch, or none at all", async (t) => {
  const documents = [{ a: 1, b: 2, c: 1 }, { a: 2, b: 2 }, { a: 1, c: 2 }, { c: 1 }, { b: 9, c: 1 }];
  const indexes = [["a"], ["b", "c"]];
  const rows: [filter: unknown, access: string, exact: boolean][] = [
    [{ $or: [{ a: 1 }, { b: 2 }] }, "a = | b =, c", true],
    [{ $or: [{ a: 1 }, { c: 1 }] }, "scan", false],
    [{ $or: [{ a: 1 }, { b: 2, d: 3 }] }, "b =, c | a =", false],
    [{ $or: [{ a: 1 }, { b: 2 }], c: 1 }, "a = | b =, c =", false],
    [{ $or: [{ _id: "d0" }, { b: 2 }] }, "_id = | b =, c", true],
    [{ $or: [{ _id: 5 }, { b: 2 }] }, "b =, c", true],
    [{ $or: [{ _id: 5 }, { _id: 6, a: 1 }] }, "none", true],
    [{ $or: [{ c: 1 }, { d: 1 }], a: 1 }, "a =", false],
  ];
  for (const [filter, access, exact] of rows) {
    const outcome = scenario({ documents, indexes, filter });
    t.same([outcome.access, outcome.exact], [access, exact], JSON.stringify(filter));
  }
  const other = scenario({
    documents,
    indexes: [
      ["a", "c"],
      ["b", "c"],
    ],
    filter: { $or: [{ a: 1 }, { b: 2 }], c: 1 },
  });
  t.same([other.access, other.exact], ["a =, c = | b =, c =", true]);
});

t.test("an or is not read to its end for a page if a branch may be most of the collection", async (t) => {
  const documents = [{ by: "u" }, { shared: true }, { by: "v" }, { by: "u", shared: true }];
  const access = (filter: unknown, sort?: unknown) =>
    scenario({ documents, indexes: [["by"], ["shared"]], filter, sort }).access;
  t.equal(access({ $or: [{ by: "u" }, { shared: true }] }, "_id"), "_id");
  t.equal(access({ $or: [{ by: "u" }, { shared: true }] }, "n"), "by = | shared =");
  t.equal(access({ $or: [{ by: "u" }, { shared: true }] }), "by = | shared =");
  t.equal(access({ $or: [{ by: "u" }, { _id: "d1" }] }, "_id"), "_id = | by =");
});

t.test("the index that narrows most is chosen", async (t) => {
  const documents = [{ a: 1, b: 2, c: 3 }];
  const rows: [indexes: string[][], filter: unknown, sort: unknown, access: string][] = [
    [[["a"], ["a", "b"]], { a: 1, b: 2 }, undefined, "a =, b ="],
    [
      [
        ["a", "c"],
        ["a", "b"],
      ],
      { a: 1, b: { $gt: 1, $lt: 3 } },
      undefined,
      "a =, b <>",
    ],
    [[["b"], ["a"]], { a: 1, b: { $gt: 1 } }, undefined, "a ="],
    [[["a"], ["a", "c"]], { a: 1 }, "c", "a =, c"],
    [[["a", "c"], ["a"]], { a: 1 }, undefined, "a ="],
    [[["c"], ["b"]], { b: { $gt: 1, $lt: 3 } }, "c", "b <>"],
    [[["c"], ["b"]], { b: { $gt: 1 } }, "c", "c"],
    [[["a"], ["unique", "b"]], { a: 1, b: 2 }, undefined, "b ="],
    [[["b"], ["a"]], { a: 1, b: null }, undefined, "a ="],
    [[["b"]], { b: 2, _id: "d0" }, undefined, "_id ="],
  ];
  for (const [indexes, filter, sort, access] of rows) {
    const outcome = scenario({ documents, indexes, filter, sort });
    t.equal(outcome.access, access, JSON.stringify([indexes, filter, sort]));
  }
});

t.test("an index that is not ready is not used", async (t) => {
  const table = indexTable({ paths: ["a"] }, []);
  t.ok(table);
  const plan = planQuery(filterOf({ a: 1 }), undefined, table ? [{ ...table, ready: false }] : []);
  t.equal(plan.access.kind, "scan");
});

t.test("lists of values multiply only up to 256 intervals", async (t) => {
  const list = (n: number) => ({ $in: Array.from({ length: n }, (_, i) => i) });
  const plan = (filter: unknown) => scenario({ documents: [{ a: 1, b: 2 }], indexes: [["a", "b"]], filter });
  t.same(plan({ a: list(16), b: list(16) }).access, "a in 16, b in 16");
  const cut = plan({ a: list(20), b: list(20) });
  t.same([cut.access, cut.exact, cut.ids], ["a in 20, b", false, ["d0"]]);
});

t.test("the advised index holds the equality paths, then the sort or a range, and is then used", async (t) => {
  const rows: [filter: unknown, sort: unknown, paths: string[] | undefined][] = [
    [{ a: 1 }, undefined, ["a"]],
    [{ a: 1, b: 2 }, "-c", ["a", "b", "-c"]],
    [{ done: false, a: 1 }, undefined, ["a", "done"]],
    [{ a: 1, b: { $gt: 2 } }, undefined, ["a", "b"]],
    [{ a: 1, b: { $gt: 2 } }, "-c", ["a", "-c"]],
    [{ a: 1, b: { $gt: 2 } }, "_id", ["a", "b"]],
    [{ a: { $in: [1, 2] } }, "-c", ["a"]],
    [{ a: { $in: [1, 2] }, b: { $gt: 1 } }, undefined, ["a", "b"]],
    [{ b: { $gt: 1 } }, "-c", ["-c"]],
    [{ b: { $gt: 1, $lt: 5 } }, "-c", ["b"]],
    [{ b: { $gt: 1, $lt: 5 } }, ["-b", "-c"], ["-b", "-c"]],
    [{ b: { $ne: 1 } }, ["b", "c"], ["b", "c"]],
    [{ a: 1 }, ["a", "-c"], ["a", "-c"]],
    [{ a: 1, b: 1, c: 1, d: 1, e: 1 }, "f", ["a", "b", "c", "d"]],
    [{ a: { $elemMatch: { b: 1, c: 2 } } }, undefined, ["a.b", "a.c"]],
    [{ $or: [{ a: 1 }, { b: 1 }] }, "c", ["c"]],
    [{ $or: [{ a: 1 }, { b: 1 }] }, undefined, ["a"]],
    [{ "a.0": 1 }, undefined, undefined],
    [{ "-a": 1 }, undefined, undefined],
    [{ a: { $contains: "x" } }, undefined, undefined],
    [{ a: { $ne: 1 } }, "_id", undefined],
    [{ _id: "x" }, undefined, undefined],
    [{}, undefined, undefined],
  ];
  for (const [filter, sort, paths] of rows) {
    const order = sort === undefined ? undefined : sortOf(sort);
    const index = adviseIndex(filterOf(filter), order, []);
    t.same(index?.paths, paths, JSON.stringify([filter, sort]));
    if (!index || "$or" in (filter as object)) continue;
    t.equal(scenario({ indexes: [[...index.paths]], filter, sort }).plan.access.kind, "index", JSON.stringify(filter));
    t.equal(adviseIndex(filterOf(filter), order, [index]), undefined);
  }
});

t.test("the advice for an or goes on to the branch whose index is still missing", async (t) => {
  const filter = filterOf({ $or: [{ a: 1 }, { b: 1 }] });
  t.same(adviseIndex(filter, undefined, [definitionOf(["a"])])?.paths, ["b"]);
  t.equal(adviseIndex(filter, undefined, [definitionOf(["a"]), definitionOf(["b"])]), undefined);
});
