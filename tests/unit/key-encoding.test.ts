import t from "tap";
import type { Key } from "#protocol/compare";
import { compare, EMPTY, RANK } from "#protocol/compare";
import type { Value } from "#protocol/values";
import { indexRowsOf, surelyFits } from "../../server/stores/index-rows.ts";
import {
  AFTER_ALL,
  encodeClass,
  encodeKey,
  encodePrefix,
  encodeTuple,
  inverted,
  successor,
} from "../../server/stores/key-encoding.ts";
import { indexKeys } from "../../server/stores/plan.ts";
import { makeDocument, makePool, PATHS } from "../fuzz/pool.ts";
import { Random, TRAP_SCALARS, trapKey, trapValue } from "../support/trap-pool.ts";

const SEED = 20_260_131;
const PAIRS = 100_000;

function hex(key: Key): string {
  return encodeKey(key).toString("hex");
}

function show(key: unknown): string {
  return JSON.stringify(key, (_, part) => (typeof part === "bigint" ? `${part}n` : part)) ?? "EMPTY";
}

t.test("keys are encoded as the format says, so that files written today are read by later versions", async (t) => {
  const rows: [Key, string][] = [
    [EMPTY, "08"],
    [null, "10"],
    [0, "1880000000000000000000"],
    [-0, "1880000000000000000000"],
    [1, "18bff00000000000000000"],
    [-1, "18400fffffffffffff0000"],
    [1n, "18bff00000000000000000"],
    [2n ** 53n + 1n, "18c3400000000000000001"],
    [-(2n ** 53n) - 1n, "183cbffffffffffffe0001"],
    [2n ** 63n - 1n, "18c3dfffffffffffff03ff"],
    ["a", "20610001"],
    ["a\0b", "206100ff620001"],
    ["é", "20c3a90001"],
    [{ a: 1, b: null }, "28186100" + "01bff00000000000000000" + "1062000100"],
    [{}, "2800"],
    [[], "3000"],
    [["a", []], "3020610001300000"],
    [new Uint8Array([1, 2]), "38000000020102"],
    [false, "4000"],
    [true, "4001"],
    [new Date(0), "488000000000000000"],
    [new Date(-1), "487fffffffffffffff"],
  ];
  for (const [key, bytes] of rows) t.equal(hex(key), bytes, show(key));
  t.equal(encodeTuple(["a", true], [true, false]).toString("hex"), "df9efffe" + "4001");
});

t.test("byte order is the order of keys, for every pair of traps", async (t) => {
  const keys: Key[] = [EMPTY, ...TRAP_SCALARS, [], {}, [[]], [null], { a: null }, { a: 1, b: 2 }, { b: 1 }];
  const encoded = keys.map(encodeKey);
  const wrong: string[] = [];
  for (const [i, a] of keys.entries()) {
    for (const [j, b] of keys.entries()) {
      const bytes = Buffer.compare(encoded[i] as Buffer, encoded[j] as Buffer);
      if (bytes !== Math.sign(compare(a, b))) wrong.push(`${show(a)} ? ${show(b)}`);
    }
  }
  t.same(wrong, []);
});

t.test(`byte order is the order of keys and tuples, for ${PAIRS} random pairs (seed ${SEED})`, async (t) => {
  const random = new Random(SEED);
  for (let n = 0; n < PAIRS; n++) {
    const size = 1 + random.below(3);
    const descending = Array.from({ length: size }, () => random.chance(40));
    const a = Array.from({ length: size }, () => trapKey(random, 3));
    // Half of the pairs share their first parts, so that later parts and whole equality are met.
    const b = a.map((key) => (random.chance(50) ? key : trapKey(random, 3)));
    let order = 0;
    for (let i = 0; i < size && order === 0; i++) {
      order = Math.sign(compare(a[i] as Key, b[i] as Key)) * (descending[i] ? -1 : 1);
    }
    const bytes = Buffer.compare(encodeTuple(a, descending), encodeTuple(b, descending));
    if (bytes !== order) {
      t.fail(`pair ${n}: ${show(a)} against ${show(b)}, descending ${descending}: ${bytes}, expected ${order}`);
      return;
    }
  }
  t.pass();
});

t.test("no key's bytes are the beginning of another key's", async (t) => {
  const random = new Random(SEED);
  const texts = new Set<string>();
  for (let n = 0; n < 5000; n++) texts.add(hex(trapKey(random, 2)));
  const sorted = [...texts].sort();
  const wrong = sorted.filter((text, i) => sorted[i + 1]?.startsWith(text));
  t.same(wrong, []);
});

t.test("a text's prefix bytes are shared by exactly the strings that start with it", async (t) => {
  const strings = TRAP_SCALARS.filter((value) => typeof value === "string");
  for (const prefix of strings) {
    const from = encodePrefix(prefix);
    const to = successor(from);
    for (const text of strings) {
      const key = encodeKey(text);
      const inside = Buffer.compare(key, from) >= 0 && to !== undefined && Buffer.compare(key, to) < 0;
      if (inside !== text.startsWith(prefix)) t.fail(`${show(text)} under ${show(prefix)}`);
    }
  }
  t.pass();
});

t.test("a class's byte begins every key of the class, and nothing is above AFTER_ALL", async (t) => {
  t.equal(encodeKey("a")[0], encodeClass(RANK.string)[0]);
  t.equal(encodeKey(new Date(0))[0], encodeClass(RANK.date)[0]);
  t.ok(Buffer.compare(inverted(encodeClass(RANK.empty)), AFTER_ALL) < 0);
});

t.test("the successor of a prefix carries, and there is none above FF FF", async (t) => {
  const next = (text: string) => successor(Buffer.from(text, "hex"))?.toString("hex");
  t.equal(next("2061"), "2062");
  t.equal(next("20ff"), "21");
  t.equal(next("20ffff"), "21");
  t.equal(next("7800ff"), "7801");
  t.equal(next("ffff"), undefined);
  t.equal(next(""), undefined);
});

t.test("a key larger than the writing buffer is encoded whole, and the next one is not disturbed", async (t) => {
  const large: Value[] = [trapValue(new Random(1), 3), "x".repeat(1_000_000), `\0${"😀".repeat(50_000)}\0`];
  const before = hex({ a: large });
  t.equal(hex("a"), "20610001");
  t.equal(hex({ a: large }), before);
  t.ok(before.length > 2_000_000);
});

t.test("a document of which an index surely has one short row has one", async (t) => {
  let sure = 0;
  for (let seed = 1; seed <= 300; seed++) {
    const random = new Random(seed);
    const pool = makePool(random);
    const paths = [...new Set(Array.from({ length: 1 + random.below(3) }, () => random.pick(PATHS)))];
    const keys = indexKeys({ paths });
    const rowsOf = indexRowsOf({ keys, unique: false });
    for (let i = 0; i < 30; i++) {
      const made = makeDocument(pool, new Set(), i + 1);
      const document = random.chance(20) ? { ...made, [String(paths[0])]: "\0é€".repeat(random.below(400)) } : made;
      if (!surelyFits(keys, document)) continue;
      sure++;
      const rows = rowsOf(document);
      if (typeof rows === "string" || rows.differing) t.fail(`${paths}: ${JSON.stringify(document)}`);
    }
  }
  t.ok(sure > 1000, `${sure} of 9,000`);
});
