import t from "tap";
import { decodeBase64, encodeBase64 } from "#protocol/base64";
import { DATE_MAX, DATE_MIN, isoOf, parseDate, readIso } from "#protocol/dates";
import { Faults } from "#protocol/errors";
import { LIMITS } from "#protocol/limits";
import type { ObjectValue, Value } from "#protocol/values";
import { decodeValue, encodeValue, fitsUtf8, parseInt64, parseText, utf8Length } from "#protocol/values";
import { cpuTime } from "../support/cpu-time.ts";
import { Random, TRAP_SCALARS, trapValue } from "../support/trap-pool.ts";

const SEED = 20_261_106;

/** Decodes the JSON text of a value; the codes of its faults if it has any. */
function decode(text: string): Value | readonly string[] {
  const faults = new Faults();
  const value = decodeValue(JSON.parse(text), "document", faults);
  return faults.any ? faults.list.map((fault) => `${fault.path} ${fault.code}`) : value;
}

const nested = (levels: number, core: string, open = "[", close = "]") =>
  `${open.repeat(levels)}${core}${close.repeat(levels)}`;

t.test("each class is read from its wire form and written back", async (t) => {
  const rows: [text: string, value: Value, canonical?: string][] = [
    ["null", null],
    ["true", true],
    ["1.5", 1.5],
    ["-0", 0, "0"],
    ["1E3", 1000, "1000"],
    ["1e21", 1e21, "1e+21"],
    ["9007199254740993", 9007199254740992, "9007199254740992"],
    ['{"$numberLong":"9007199254740993"}', 9007199254740993n],
    ['{"$numberLong":"-9223372036854775808"}', -(2n ** 63n)],
    ['{"$numberLong":"0"}', 0n],
    ['"\\u0000\\ud83d\\ude00\\"\\\\"', '\0😀"\\', '"\\u0000😀\\"\\\\"'],
    ['{"$date":"2026-01-31T10:00:00.000Z"}', new Date(1_769_853_600_000)],
    ['{"$date":-1}', new Date(-1), '{"$date":"1969-12-31T23:59:59.999Z"}'],
    ['{"$binary":{"base64":"AQI=","subType":"00"}}', Uint8Array.of(1, 2)],
    ['{"$binary":{"subType":"00","base64":""}}', new Uint8Array(), '{"$binary":{"base64":"","subType":"00"}}'],
    [
      '{"b":1,"2":[{}],"1":[],"a":{"b":1,"b":2}}',
      { 1: [], 2: [{}], b: 1, a: { b: 2 } },
      '{"1":[],"2":[{}],"b":1,"a":{"b":2}}',
    ],
    [
      '{"toString":1,"toJSON":2,"hasOwnProperty":3,"length":4}',
      { toString: 1, toJSON: 2, hasOwnProperty: 3, length: 4 } as unknown as Value,
    ],
  ];
  for (const [text, value, canonical = text] of rows) {
    t.strictSame(decode(text), value, text);
    t.equal(encodeValue(value), canonical);
    t.strictSame(parseText(canonical), value);
  }
  t.ok(Object.is(decode("-0"), 0), "-0 becomes 0");
  t.ok(Object.is((decode('{"a":[-0]}') as { a: number[] }).a[0], 0), "-0 inside becomes 0");
  t.equal(encodeValue(-0), "0");
});

t.test("what is no value is refused with its place", async (t) => {
  const rows: [text: string, fault: string][] = [
    ['{"a":[1,1e999]}', "document.a.1 bad_value"],
    ['{"a":-1e999}', "document.a bad_value"],
    ['{"a":"\\ud800"}', "document.a bad_value"],
    ['{"a":["x\\udc00y"]}', "document.a.0 bad_value"],
    ['{"\\ud800":1}', "document.\ud800 bad_value"],
    ['{"":1}', "document. bad_value"],
    ['{"a.b":1}', "document.a.b bad_value"],
    ['{".a":1}', "document..a bad_value"],
    ['{"a\\u0000":1}', "document.a\0 bad_value"],
    ['{"__proto__":{"x":1}}', "document.__proto__ bad_value"],
    ['{"a":{"constructor":1}}', "document.a.constructor bad_value"],
    ['{"prototype":1}', "document.prototype bad_value"],
    ['{"_bsontype":"Code"}', "document._bsontype bad_value"],
    ['{"a":{"$foo":1}}', "document.a bad_value"],
    ['{"a":{"$date":1,"x":1}}', "document.a.$date bad_value"],
    ['{"a":{"x":1,"$set":1}}', "document.a.$set bad_value"],
    ...["$numberDecimal", "$oid", "$timestamp", "$regularExpression", "$minKey", "$maxKey", "$undefined", "$uuid"].map(
      (tag): [string, string] => [`{"a":{"${tag}":"1"}}`, "document.a unsupported_value"],
    ),
    ['{"a":{"$numberLong":1}}', "document.a bad_value"],
    ['{"a":{"$date":"yesterday"}}', "document.a bad_value"],
    ['{"a":{"$date":{"$numberLong":"1"}}}', "document.a bad_value"],
    ['{"a":{"$binary":"AQ=="}}', "document.a bad_value"],
    ['{"a":{"$binary":{"base64":"AQ==","subType":"04"}}}', "document.a bad_value"],
    ['{"a":{"$binary":{"base64":"AQ==","subType":"00","x":1}}}', "document.a bad_value"],
    ['{"a":{"$binary":{"base64":["AQ=="],"subType":"00"}}}', "document.a bad_value"],
  ];
  for (const [text, fault] of rows) t.strictSame(decode(text), [fault], text);
  t.strictSame(decode('{"a":1e999,"b":{"":1},"c":{"$oid":1}}'), [
    "document.a bad_value",
    "document.b. bad_value",
    "document.c unsupported_value",
  ]);
  t.strictSame(decode('{"a":{"__proto__":{"polluted":1}}}'), ["document.a.__proto__ bad_value"]);
  t.notOk("polluted" in {});
  const faults = new Faults();
  decodeValue({ a: undefined, b: 1n, c: () => 1 }, "document", faults);
  t.equal(faults.list.length, 3, "only JSON is read");
});

t.test("nesting ends at 32 levels, and a tag is not one", async (t) => {
  t.type(decode(nested(32, "1")), Array);
  t.strictSame(decode(nested(33, "1")), [`document${".0".repeat(32)} too_deep`]);
  t.type(decode(nested(32, "1", '{"k":', "}")), Object);
  t.strictSame(decode(nested(33, "1", '{"k":', "}")), [`document${".k".repeat(32)} too_deep`]);
  const deepest = decode(nested(32, '{"$date":0}', '{"k":', "}"));
  t.match(encodeValue(deepest as Value), "1970-01-01");
  t.strictSame(decode(nested(100_000, "")), [`document${".0".repeat(32)} too_deep`]);
  const faults = new Faults();
  decodeValue([[]], "document.a", faults, 32);
  t.match(faults.list, [{ path: "document.a.0", code: "too_deep" }], "a level may be given");
});

t.test("int64 text is canonical decimal in its range", async (t) => {
  for (const text of ["0", "-1", "9223372036854775807", "-9223372036854775808", "7"])
    t.equal(parseInt64(text), BigInt(text));
  for (const text of [
    "",
    "-",
    "-0",
    "01",
    "+1",
    "1.0",
    "1e3",
    " 1",
    "1\n",
    "0x1",
    "9223372036854775808",
    "-9223372036854775809",
    "9".repeat(1_000_000),
  ]) {
    t.equal(parseInt64(text), undefined, text.slice(0, 30));
  }
});

t.test("dates are written and read as JavaScript does, in every week of the language", async (t) => {
  const random = new Random(SEED);
  const DAY = 86_400_000;
  const wrong: string[] = [];
  for (let day = DATE_MIN; day <= DATE_MAX; day += 7 * DAY) {
    const date = new Date(
      day + DAY * random.below(7) + (random.chance(25) ? random.pick([0, DAY - 1]) : random.below(DAY)),
    );
    const text = date.toISOString();
    if (date.getTime() <= DATE_MAX && (isoOf(date) !== text || readIso(text).getTime() !== date.getTime()))
      wrong.push(text);
  }
  t.strictSame(wrong, []);
  t.equal(isoOf(new Date(DATE_MAX + 1)), "+010000-01-01T00:00:00.000Z");
  t.throws(() => isoOf(new Date(Number.NaN)), RangeError);
});

t.test("dates are read from any offset, to the millisecond, from year 1 to 9999", async (t) => {
  const good: [operand: unknown, iso: string][] = [
    ["2026-01-31T10:00:00Z", "2026-01-31T10:00:00.000Z"],
    ["2026-01-31T10:00Z", "2026-01-31T10:00:00.000Z"],
    ["2026-01-31T10:00:00.1Z", "2026-01-31T10:00:00.100Z"],
    ["2026-01-31T10:00:00.12Z", "2026-01-31T10:00:00.120Z"],
    ["2026-01-31T10:00:00.123+05:30", "2026-01-31T04:30:00.123Z"],
    ["2026-01-31T23:00:00-0230", "2026-02-01T01:30:00.000Z"],
    ["2026-01-31T10:00:00+02", "2026-01-31T08:00:00.000Z"],
    ["2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000Z"],
    ["2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000Z"],
    ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"],
    ["0099-12-31T23:59:59.999Z", "0099-12-31T23:59:59.999Z"],
    ["0000-12-31T23:00:00-01:00", "0001-01-01T00:00:00.000Z"],
    ["9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"],
    [0, "1970-01-01T00:00:00.000Z"],
    [-0, "1970-01-01T00:00:00.000Z"],
    [DATE_MIN, "0001-01-01T00:00:00.000Z"],
    [DATE_MAX, "9999-12-31T23:59:59.999Z"],
  ];
  for (const [operand, iso] of good) t.equal(parseDate(operand)?.toISOString(), iso, String(operand));
  const texts = [
    ...[
      "2026-01-31",
      "2026-01-31T10:00:00",
      "2026-01-31 10:00:00Z",
      "2026-1-31T10:00:00Z",
      "2026-01-31T10:00:00.1234Z",
    ],
    ...[
      "2026-02-29T00:00:00Z",
      "1900-02-29T00:00:00Z",
      "2026-04-31T00:00:00Z",
      "2026-00-10T00:00:00Z",
      "2026-13-01T00:00:00Z",
    ],
    ...["2026-01-31T24:00:00Z", "2026-01-31T10:60:00Z", "2026-01-31T10:00:60Z", "2026-01-31T10:00:00+24:00", "x"],
    ...[
      "2026-01-31T10:00:00+10:60",
      "0000-12-31T23:59:59.999Z",
      "9999-12-31T23:59:59.999-00:01",
      "+12026-01-31T10:00:00Z",
      "",
    ],
    ...["2026-01-31T10:00:00.Z", "2026-01-31T10:00:00Z\n", "２０２６-01-31T10:00:00Z"],
  ];
  for (const operand of [...texts, 1.5, DATE_MIN - 1, DATE_MAX + 1, 1e300, null, true, ["2026-01-31T10:00:00Z"], {}]) {
    t.equal(parseDate(operand), undefined, String(operand));
  }
});

t.test("base64 is exact, and binary ends at 256 KiB", async (t) => {
  const random = new Random(SEED);
  for (let length = 0; length < 70; length++) {
    const bytes = Uint8Array.from({ length }, () => random.below(256));
    const text = Buffer.from(bytes).toString("base64");
    t.equal(encodeBase64(bytes), text);
    t.strictSame(decodeBase64(text), bytes);
  }
  for (const text of [
    "A",
    "AQ",
    "AQ=",
    "AQ==AQ==",
    "AR==",
    "AQJ=",
    "A===",
    "====",
    "A_-=",
    "AQ= ",
    "AQ=\n",
    "\u0141Q==",
  ]) {
    t.equal(decodeBase64(text), undefined, JSON.stringify(text));
  }
  const binary = (bytes: number) =>
    decode(`{"$binary":{"base64":"${encodeBase64(new Uint8Array(bytes))}","subType":"00"}}`);
  t.equal((binary(LIMITS.binaryBytes) as Uint8Array).length, LIMITS.binaryBytes);
  t.strictSame(binary(LIMITS.binaryBytes + 1), ["document too_long"]);
  t.strictSame(binary(LIMITS.binaryBytes + 3), ["document too_long"]);
});

t.test("random values come back from their canonical text, read trusting and untrusting", async (t) => {
  const random = new Random(SEED);
  const texts = ['{"$', '{"$date":1}', '\\{"$', '"}'];
  for (let i = 0; i < 20_000; i++) {
    const value = trapValue(random, 4, [...TRAP_SCALARS.filter((scalar) => !Object.is(scalar, -0)), ...texts]);
    const text = encodeValue(value);
    for (const back of [parseText(text), decode(text) as Value]) {
      if (encodeValue(back) === text && sameClasses(back, value)) continue;
      throw new Error(`differs after reading (seed ${SEED}): ${text}`);
    }
  }
  t.pass("20,000 values");
});

function sameClasses(a: Value, b: Value): boolean {
  if (typeof a !== "object" || a === null) return Object.is(a, b);
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (a instanceof Date || a instanceof Uint8Array) return true;
  return Object.entries(a).every(([key, item]) => sameClasses(item as Value, (b as ObjectValue)[key] as Value));
}

t.test("the UTF-8 length of a text is counted as an encoder would write it", async (t) => {
  const parts = [
    "a",
    "\0",
    "é",
    "\u07ff",
    "\u0800",
    "\ud7ff",
    "\ue000",
    "\uffff",
    "😀",
    "\u{10ffff}",
    "\ud800",
    "\udc00",
  ];
  const random = new Random(SEED);
  for (let i = 0; i < 2000; i++) {
    const text = Array.from({ length: random.below(8) }, () => random.pick(parts)).join("");
    const bytes = Buffer.byteLength(text);
    if (utf8Length(text) !== bytes) t.fail(JSON.stringify(text));
    if (!fitsUtf8(text, bytes) || fitsUtf8(text, bytes - 1)) t.fail(`limit of ${JSON.stringify(text)}`);
  }
  t.equal(utf8Length("é😀"), 6);
});

t.test("faults of one input are bounded in number, length and cost", async (t) => {
  const bad = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`$${i}`, i]));
  const faults = new Faults();
  const spent = cpuTime();
  decodeValue({ ["k".repeat(1_000_000)]: bad }, "document", faults);
  t.ok(spent() < 1000);
  t.equal(faults.list.length, 100);
  t.ok(JSON.stringify(faults.list).length < 300_000);
  t.throws(() => faults.throwIfAny(), { code: "invalid_argument", details: { faults: faults.list } });
});
