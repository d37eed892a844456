import { BSON, Decimal128, type Document, ObjectId } from "mongodb";
import t from "tap";
import { encodeValue, type ObjectValue } from "#protocol/values";
import { BsonText } from "../../server/stores/mongodb/bson-text.ts";
import { rowOf, rowOfBytes } from "../../server/stores/mongodb/rows.ts";
import { BSON_OPTIONS } from "../../server/stores/mongodb/values.ts";
import { makeDocument, makePool } from "../fuzz/pool.ts";
import { Random, trapValue } from "../support/trap-pool.ts";

const AT = new Date("2026-01-31T10:00:00.000Z");

function document(fields: Document): Document {
  return { _id: "d", _v: 7, _createdAt: AT, _updatedAt: AT, ...fields };
}

/** Both ways to a row: straight from the bytes, and by the driver. */
function bothWays(stored: Document) {
  const bytes = BSON.serialize(stored);
  return { straight: rowOfBytes(bytes), driver: rowOf(BSON.deserialize(bytes, BSON_OPTIONS)) };
}

t.test("a text written from the bytes is the one that is written of the values", async (t) => {
  const writer = new BsonText();
  let taken = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const random = new Random(seed);
    const pool = makePool(random);
    for (let i = 0; i < 50; i++) {
      const { "0": _, ...made } = makeDocument(pool, new Set(), i + 1) as ObjectValue;
      const stored: Document = { ...made, more: trapValue(random, 3), "é€😀": [trapValue(random, 1)] };
      const bytes = BSON.serialize(stored);
      const text = writer.textOf(bytes);
      if (text !== undefined) taken++;
      const { straight, driver } = bothWays(stored);
      if (text !== undefined && text !== driver?.text) t.equal(text, driver?.text);
      if (straight?.text !== driver?.text || straight?.version !== driver?.version) t.strictSame(straight, driver);
      if (straight && encodeValue(straight.value) !== straight.text)
        t.equal(encodeValue(straight.value), straight.text);
    }
  }
  t.ok(taken > 1500, `${taken} documents were taken`);
});

t.test("texts of every kind come out as JSON has them", async (t) => {
  for (const text of [
    "",
    '"\\/',
    "\u0000\b\t\n\f\r\u001f\u007f",
    "é€😀\u2028",
    "x".repeat(500),
    `${"x".repeat(500)}\n😀"`,
  ]) {
    const { straight } = bothWays(document({ text, list: [text] }));
    t.equal(straight?.text, encodeValue(document({ text, list: [text] })));
  }
  const times = [-62_135_596_800_000, -1, 0, 1, 951_782_400_000, 1_769_853_600_123, 253_402_300_799_999];
  for (const time of times) {
    const { straight } = bothWays(document({ at: new Date(time), long: BigInt(time), double: time / 3 }));
    t.equal(straight?.text, encodeValue(document({ at: new Date(time), long: BigInt(time), double: time / 3 })));
  }
  t.match(bothWays(document({ a: {}, b: [], c: [[], {}], d: new Uint8Array(), e: -0 })).straight?.text, /"e":0\}$/);
});

t.test("keys come in the order of the language, wherever MongoDB has them", async (t) => {
  const stored = new Map<string, unknown>([
    ["_id", "d"],
    [
      "b",
      new Map([
        ["b", 1],
        ["1", 2],
        ["0", 3],
      ]),
    ],
    ["7", 1],
  ]);
  const row = rowOfBytes(BSON.serialize(stored));
  t.equal(row?.text, '{"7":1,"_id":"d","b":{"0":3,"1":2,"b":1}}');
  t.equal(row?.version, 1);
});

t.test("the hidden member shows nowhere, and leaves no comma", async (t) => {
  const plain = document({ a: 1 });
  for (const stored of [
    { _l: "x", ...plain },
    { ...plain, _l: "x" },
    { _id: "d", _l: { deep: [1] }, ...plain },
  ]) {
    const { straight, driver } = bothWays(stored);
    t.equal(straight?.text, encodeValue(plain));
    t.equal(driver?.text, encodeValue(plain));
  }
});

t.test("a version that is missing or odd counts as 1", async (t) => {
  for (const [_v, version] of [
    [undefined, 1],
    ["7", 1],
    [7n, 7],
    [-7n, 1],
    [2n ** 60n, 1],
    [1.5, 1],
    [-3, 1],
    [0, 1],
    [2 ** 60, 1],
    [7, 7],
  ]) {
    const stored = { _id: "d", ...(_v !== undefined && { _v }) };
    const { straight, driver } = bothWays(stored);
    t.equal(straight?.version, version);
    t.equal(driver?.version, version);
  }
});

t.test("documents that the language cannot hold are no rows", async (t) => {
  const nested = (levels: number): unknown => (levels === 0 ? 1 : { a: nested(levels - 1) });
  const foreign: Record<string, Document> = {
    "an id of MongoDB's": { _id: new ObjectId() },
    "an id with a space": { _id: "a b" },
    "no id": { a: 1 },
    "a decimal deep inside": document({ a: [{ b: Decimal128.fromString("1") }] }),
    "not a number": document({ a: [Number.NaN] }),
    "a key with a dot": document({ "a.b": 1 }),
    "a key with a dollar": document({ a: { $b: 1 } }),
    "an empty key": document({ "": 1 }),
    "a name of the server's": document({ _other: 1 }),
    "a date that is none": document({ _createdAt: "yesterday" }),
    "33 levels": document({ a: nested(32) }),
    "a text over the limit": document({ text: "x".repeat(1024 * 1024) }),
    "a text over the limit once it is escaped": document({ text: "\u0001".repeat(200 * 1024) }),
    "a binary of another kind": document({ a: new BSON.UUID() }),
  };
  for (const [name, stored] of Object.entries(foreign)) {
    const { straight, driver } = bothWays(stored);
    t.equal(straight, undefined, name);
    t.equal(driver, undefined, `${name}, by the driver`);
  }
  t.ok(rowOfBytes(BSON.serialize(document({ a: nested(31) }))), "32 levels are within the language");
  t.ok(rowOfBytes(BSON.serialize(document({ many: Array(100_000).fill(0.5) }))), "BSON may be longer than the text");
});

t.test("a text that is no UTF-8 makes its document none of ours, and no other", async (t) => {
  const bytes = BSON.serialize(document({ text: "AAAA" }));
  const at = Buffer.from(bytes).indexOf("AAAA");
  bytes[at] = 0xff;
  t.equal(rowOfBytes(bytes), undefined);
  t.equal(rowOfBytes(BSON.serialize(document({ text: "\ufffd" })))?.value.text, "\ufffd");
});
