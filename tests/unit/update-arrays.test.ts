import t from "tap";
import { Faults } from "#protocol/errors";
import { sameData } from "#protocol/same-data";
import { applyUpdate, parseUpdate } from "#protocol/update";
import { decodeValue, encodeValue, type ObjectValue } from "#protocol/values";

const long = (text: string) => ({ $numberLong: text });

/** The array `a` after one operator on it; undefined stands for none. */
function after(array: unknown, operator: string, operand: unknown): unknown {
  const faults = new Faults();
  const document = decodeValue(structuredClone(array === undefined ? {} : { a: array }), "document", faults);
  const update = parseUpdate({ [operator]: { a: structuredClone(operand) } }, "update", faults);
  faults.throwIfAny();
  const result = applyUpdate(update, document as ObjectValue, { now: new Date(0), inserting: false });
  return JSON.parse(encodeValue(result)).a;
}

type Row = [array: unknown, operand: unknown, after: unknown];

const TABLE: Record<string, Row[]> = {
  $push: [
    [[1], 2, [1, 2]],
    [undefined, 2, [2]],
    [[1], [2, 3], [1, [2, 3]]],
    [[1], { b: 2 }, [1, { b: 2 }]],
    [[1], {}, [1, {}]],
    [[1], long("5"), [1, long("5")]],
    [[1], { $each: [] }, [1]],
    [undefined, { $each: [] }, []],
    [[1], { $each: [2, [3]] }, [1, 2, [3]]],
    [[1, 2], { $each: [8, 9], $position: 0 }, [8, 9, 1, 2]],
    [[1, 2], { $each: [8], $position: 1 }, [1, 8, 2]],
    [[1, 2], { $each: [8], $position: 50 }, [1, 2, 8]],
    [[1, 2], { $each: [8], $position: -1 }, [1, 8, 2]],
    [[1, 2], { $each: [8], $position: -50 }, [8, 1, 2]],
    [[3, 1], { $each: [2], $sort: 1 }, [1, 2, 3]],
    [[3, 1], { $each: [2], $sort: -1 }, [3, 2, 1]],
    [["b", 1, null, true], { $each: [[0], { z: 1 }], $sort: 1 }, [null, 1, "b", { z: 1 }, [0], true]],
    [[3, 1, 2], { $each: [], $slice: 2 }, [3, 1]],
    [[3, 1, 2], { $each: [], $slice: -2 }, [1, 2]],
    [[3, 1, 2], { $each: [4], $slice: 0 }, []],
    [[3, 1, 2], { $each: [4], $slice: -50 }, [3, 1, 2, 4]],
    // Modifiers apply in their own order, however they are written: insert, sort, slice.
    [[3, 1], { $slice: 2, $sort: 1, $position: 0, $each: [2] }, [1, 2]],
    [
      [{ s: 1, t: "x" }],
      { $each: [{ s: 2 }, { s: 1, t: "y" }], $sort: ["-s"] },
      [{ s: 2 }, { s: 1, t: "x" }, { s: 1, t: "y" }],
    ],
    [
      [
        { s: 1, t: 2 },
        { s: 1, t: 1 },
      ],
      { $each: [{ s: 0 }], $sort: ["s", "t"] },
      [{ s: 0 }, { s: 1, t: 1 }, { s: 1, t: 2 }],
    ],
    // An element without the path sorts as null; arrays on the way are not entered.
    [[{ s: { n: 1 } }, 7, { s: [{ n: 0 }] }], { $each: [], $sort: ["s.n"] }, [7, { s: [{ n: 0 }] }, { s: { n: 1 } }]],
    [[{ _x: 2 }, { _x: 1 }], { $each: [], $sort: ["_x"] }, [{ _x: 1 }, { _x: 2 }]],
  ],
  $addToSet: [
    [[1], 2, [1, 2]],
    [[1], 1, [1]],
    [undefined, 1, [1]],
    [[1, 1], 1, [1, 1]],
    [[1], { $each: [1, 2, 2, 3] }, [1, 2, 3]],
    [undefined, { $each: [] }, []],
    [[1], long("1"), [1]],
    [[long("1")], 1, [long("1")]],
    [[2 ** 53], long("9007199254740993"), [2 ** 53, long("9007199254740993")]],
    [[{ x: 1, y: [2] }], { x: long("1"), y: [2] }, [{ x: 1, y: [2] }]],
    [
      [{ x: 1, y: 2 }],
      { y: 2, x: 1 },
      [
        { x: 1, y: 2 },
        { y: 2, x: 1 },
      ],
    ],
    [[[1]], [1], [[1]]],
    [[null], null, [null]],
    [["1", true], 1, ["1", true, 1]],
  ],
  $pull: [
    [[1, 2, 1], 1, [2]],
    [[1, 2], 3, [1, 2]],
    [undefined, 1, undefined],
    [[1, "1", null], null, [1, "1"]],
    [[long("1"), 1, 2], 1, [2]],
    [[1], long("1"), []],
    [
      [[1, 2], 1, 2],
      [1, 2],
      [1, 2],
    ],
    [[[1], 1], [1], [1]],
    [[1, 5, 9, "x"], { $gt: 3 }, [1, "x"]],
    [[1, 5, 9], { $gt: 3, $lt: 7 }, [1, 9]],
    [[1, 5, 9], { $in: [1, 9] }, [5]],
    [[1, 5, 9], { $nin: [1, 9] }, [1, 9]],
    [[{ b: 1, c: 1 }, { b: 2 }, 1], { b: 1 }, [{ b: 2 }, 1]],
    [[{ b: [1, 2] }, { b: 2 }], { b: { $gte: 2 } }, []],
    [[{ b: 1 }, { b: 2 }, { b: 3 }], { $or: [{ b: 1 }, { b: 3 }] }, [{ b: 2 }]],
    [[{ b: { c: 1, d: 2 } }, { b: { c: 1 } }], { b: { c: 1 } }, [{ b: { c: 1, d: 2 } }]],
    [["a", "ab"], { $startsWith: "ab" }, ["a"]],
  ],
  $pullAll: [
    [[1, 2, 3, 1], [1, 3], [2]],
    [[1], [], [1]],
    [undefined, [1], undefined],
    [[{ b: 1 }, { b: 1, c: 1 }], [{ b: 1 }], [{ b: 1, c: 1 }]],
    [[long("1"), [1], null], [1, null], [[1]]],
  ],
  $pop: [
    [[1, 2, 3], 1, [1, 2]],
    [[1, 2, 3], -1, [2, 3]],
    [[], 1, []],
    [undefined, -1, undefined],
  ],
};

for (const [operator, rows] of Object.entries(TABLE)) {
  t.test(`${operator} changes the array at its path`, async (t) => {
    for (const [array, operand, expected] of rows) {
      t.strictSame(after(array, operator, operand), expected, `${JSON.stringify(array)} ${JSON.stringify(operand)}`);
    }
  });
}

t.test("a long list against a long array takes no quadratic time", async (t) => {
  const numbers = Array.from({ length: 100_000 }, (_, i) => i);
  const started = process.cpuUsage();
  after(numbers, "$addToSet", { $each: numbers.map((n) => n + 50_000) });
  after(numbers, "$pullAll", numbers);
  t.ok(process.cpuUsage(started).user < 3_000_000, "quadratic, it would be minutes");
});

t.test("sameness of data is sameness of the stored text, server fields aside", async (t) => {
  const rows: [a: unknown, b: unknown, same: boolean][] = [
    [{ _v: 1, a: 1 }, { _v: 2, a: 1, _updatedAt: 3 }, true],
    [{ a: 1, _v: 1, b: 2 }, { _v: 1, a: 1, b: 2 }, true],
    [{ a: 1 }, { a: 1, b: null }, false],
    [{ a: 1, b: 2 }, { b: 2, a: 1 }, false],
    [{ a: { b: 1, c: 2 } }, { a: { c: 2, b: 1 } }, false],
    [{ a: { _b: 1 } }, { a: { _b: 2 } }, false],
    [{ a: 5 }, { a: long("5") }, false],
    [{ a: long("5") }, { a: long("5") }, true],
    [{ a: [1, [2]] }, { a: [1, [2]] }, true],
    [{ a: [1] }, { a: [1, 2] }, false],
    [{ a: [] }, { a: {} }, false],
    [{ a: { $date: 0 } }, { a: { $date: "1970-01-01T00:00:00Z" } }, true],
    [{ a: { $date: 0 } }, { a: { $date: 1 } }, false],
    [{ a: { $date: 0 } }, { a: {} }, false],
    [
      { a: { $binary: { base64: "AQI=", subType: "00" } } },
      { a: { $binary: { base64: "AQI=", subType: "00" } } },
      true,
    ],
    [
      { a: { $binary: { base64: "AQI=", subType: "00" } } },
      { a: { $binary: { base64: "AQM=", subType: "00" } } },
      false,
    ],
    [{ a: null }, { a: {} }, false],
  ];
  const read = (input: unknown) => decodeValue(input, "document", new Faults()) as ObjectValue;
  for (const [a, b, same] of rows) {
    const name = JSON.stringify([a, b]);
    t.equal(sameData(read(a), read(b)), same, name);
  }
});
