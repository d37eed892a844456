import { Binary, BSON, Code, Decimal128, type Document, Long, MaxKey, ObjectId, Timestamp } from "mongodb";
import t from "tap";
import { Faults } from "#protocol/errors";
import {
  decodeValue,
  encodeValue,
  type Document as Galley,
  type ObjectValue,
  parseText,
  type Value,
} from "#protocol/values";
import { fieldsOf, imageOf } from "../../server/documents/images.ts";
import { BSON_OPTIONS, ForeignValue, fromBson, toBson } from "../../server/stores/mongodb/values.ts";
import { makeDocument, makePool } from "../fuzz/pool.ts";
import { updateDocument } from "../fuzz/updates.ts";
import { Random, trapValue } from "../support/trap-pool.ts";

/** What a document becomes on its way through the driver. */
function throughDriver(document: Document): Document {
  return BSON.deserialize(BSON.serialize(document), BSON_OPTIONS);
}

t.test("every value comes back from BSON as it was", async (t) => {
  const random = new Random(1);
  for (let i = 0; i < 2000; i++) {
    const value = trapValue(random, 4);
    const document = { _id: "d", a: value === 0 ? 0 : value } satisfies ObjectValue;
    const back = fromBson(throughDriver(toBson(document)));
    if (encodeValue(back) !== encodeValue(document)) t.equal(encodeValue(back), encodeValue(document));
  }
});

t.test("the value of a write is stored to the byte as its text would be", async (t) => {
  const at = new Date("2026-01-31T10:00:00.000Z");
  let compared = 0;
  for (let seed = 1; seed <= 100; seed++) {
    const random = new Random(seed);
    const pool = makePool(random);
    for (let i = 0; i < 30; i++) {
      let document = makeDocument(pool, new Set(), i + 1) as Galley;
      for (let step = 0; step < 3; step++) {
        const { text, value } = imageOf(
          { _id: "d", _v: step + 1, _createdAt: at, _updatedAt: at },
          {
            ...fieldsOf(document),
            more: decodeValue(JSON.parse(encodeValue(trapValue(random, 3))), "more", new Faults()) ?? null,
          },
        );
        const [given, parsed] = [value, parseText(text) as ObjectValue].map((one) => BSON.serialize(toBson(one)));
        if (!given || !parsed || Buffer.compare(given, parsed) !== 0) t.strictSame(value, parseText(text), text);
        document = updateDocument(pool, value) as Galley;
        compared += 1;
      }
    }
  }
  t.equal(compared, 9000);
});

t.test("an int64 stays one however small, and a double one however whole", async (t) => {
  const back = fromBson(throughDriver(toBson({ a: 1n, b: 1, c: 2 ** 53, d: -(2n ** 63n), e: [0n] })));
  t.strictSame(back, { a: 1n, b: 1, c: 2 ** 53, d: -(2n ** 63n), e: [0n] });
});

t.test("a binary comes back as plain bytes that keep nothing else in memory", async (t) => {
  const { a } = fromBson(throughDriver(toBson({ a: new Uint8Array([1, 2]), b: "x".repeat(1000) }))) as {
    a: Uint8Array;
  };
  t.equal(Object.getPrototypeOf(a), Uint8Array.prototype);
  t.strictSame([...a], [1, 2]);
  t.equal(a.buffer.byteLength, 2);
});

t.test("what other programs store and the language can hold is read as the language has it", async (t) => {
  t.strictSame(fromBson(throughDriver({ a: -0, b: [-0], c: Long.fromNumber(5), d: { e: -0 } })), {
    a: 0,
    b: [0],
    c: 5n,
    d: { e: 0 },
  });
});

/** Values that only other programs store, and the path and reason with which they are refused. */
const FOREIGN: Record<string, { a: unknown; refused: RegExp }> = {
  "an object id": { a: new ObjectId(), refused: /^a: ObjectId is not supported$/ },
  "a decimal in an array": { a: [1, Decimal128.fromString("1.5")], refused: /^a\.1: Decimal128 is not supported$/ },
  "a timestamp": { a: { b: new Timestamp(1n) }, refused: /^a\.b: Timestamp is not supported$/ },
  "a pattern": { a: /x/, refused: /^a: RegExp is not supported$/ },
  "the greatest key": { a: new MaxKey(), refused: /^a: MaxKey is not supported$/ },
  code: { a: new Code("x"), refused: /^a: Code is not supported$/ },
  "not a number": { a: Number.NaN, refused: /^a: NaN is not a finite number$/ },
  infinity: { a: Number.NEGATIVE_INFINITY, refused: /^a: -Infinity is not a finite number$/ },
  "a binary of another subtype": { a: new Binary(new Uint8Array(2), 5), refused: /^a: binary subtype 5 / },
  "a UUID": { a: new Binary(new Uint8Array(16), 4), refused: /^a: .*(subtype 4|UUID)/ },
  "a large binary": { a: new Uint8Array(262_145), refused: /^a: binary is larger than 262144 bytes$/ },
  "a date before year 1": {
    a: new Date(-62_135_596_800_001),
    refused: /^a: a date is not within the years 1 to 9999$/,
  },
  "a key with a dot": { a: { "b.c": 1 }, refused: /^a\.b\.c: a key may not hold "\."/ },
  "a key with a dollar": { a: { $b: 1 }, refused: /^a\.\$b: a key may not start with "\$"/ },
  "an empty key": { a: { "": 1 }, refused: /^a\.: a key may not be empty$/ },
  "a key that is every object's": { a: JSON.parse('{"__proto__": 1}'), refused: /^a\.__proto__: the key / },
  "33 levels": { a: JSON.parse(`${"[".repeat(32)}${"]".repeat(32)}`), refused: /: is nested deeper than 32 levels$/ },
};

for (const [name, { a, refused }] of Object.entries(FOREIGN)) {
  t.test(`${name} is refused by its path`, async (t) => {
    t.throws(() => fromBson(throughDriver({ a })), { name: "ForeignValue", message: refused });
  });
}

t.test("what BSON can hold and the driver reads but never writes is refused", async (t) => {
  t.throws(() => fromBson({ a: undefined }), new ForeignValue("a", "undefined is no value"));
  const outOfRange = new Date(Number.NaN); // as the driver reads milliseconds beyond those of a JavaScript date
  t.throws(() => fromBson({ a: outOfRange }), new ForeignValue("a", "a date is not within the years 1 to 9999"));
});

t.test("32 levels are read", async (t) => {
  const deepest = JSON.parse(`${"[".repeat(31)}${"]".repeat(31)}`) as Value;
  t.strictSame(fromBson(throughDriver({ a: deepest })), { a: deepest });
});
