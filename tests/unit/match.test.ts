import t from "tap";
import type { Node } from "#protocol/ast";
import { canonicalKey } from "#protocol/canonical";
import { Faults } from "#protocol/errors";
import { parseElementMatch, parseFilter } from "#protocol/filter";
import { compileElement, compileFilter } from "#protocol/match";
import { normalise } from "#protocol/normalise";
import { decodeValue, encodeValue, type ObjectValue } from "#protocol/values";
import { randomDocument, randomFilter } from "../support/filter-generator.ts";
import { referenceMatch } from "../support/reference-matcher.ts";
import { Random } from "../support/trap-pool.ts";

const SEED = 20_261_104;
const FILTERS = 4_000;
const DOCUMENTS = 60;

function parse(filter: unknown): Node {
  const faults = new Faults();
  const node = parseFilter(filter, "filter", faults);
  faults.throwIfAny();
  return node;
}

function matches(filter: unknown, document: unknown): boolean {
  const faults = new Faults();
  const value = decodeValue(structuredClone(document), "document", faults) as ObjectValue;
  faults.throwIfAny();
  const node = parse(filter);
  const verdict = compileFilter(node)(value);
  if (verdict !== compileFilter(normalise(node))(value)) throw new Error("the normalised filter answers otherwise");
  return verdict;
}

type Test = Pick<typeof t, "ok" | "notOk">;

/** Rows of a filter, documents that it matches and documents that it does not. */
function judge(t: Test, filter: unknown, yes: readonly unknown[], no: readonly unknown[]): void {
  for (const document of yes) t.ok(matches(filter, document), `${JSON.stringify(filter)} ${JSON.stringify(document)}`);
  for (const document of no)
    t.notOk(matches(filter, document), `${JSON.stringify(filter)} ${JSON.stringify(document)}`);
}

function differs(what: string, filter: unknown, document?: ObjectValue): Error {
  return new Error(`${what} (seed ${SEED}): ${JSON.stringify(filter)} ${document ? encodeValue(document) : ""}`);
}

t.test("random filters answer as the literal reading of the design does, normalised or not", async (t) => {
  const random = new Random(SEED);
  const documents = Array.from({ length: DOCUMENTS }, () => randomDocument(random));
  const verdictsByKey = new Map<string, string>();
  let matched = 0;
  for (let i = 0; i < FILTERS; i++) {
    const filter = randomFilter(random, 3);
    const node = parse(filter);
    const normal = normalise(node);
    const [compiled, compiledNormal] = [compileFilter(node), compileFilter(normal)];
    const key = canonicalKey(normal);
    if (canonicalKey(normalise(normal)) !== key) throw differs("normalising twice differs", filter);
    let verdicts = "";
    for (const document of documents) {
      const expected = referenceMatch(node, document);
      verdicts += expected ? "1" : "0";
      if (expected) matched++;
      if (compiled(document) === expected && compiledNormal(document) === expected) continue;
      throw differs("match.ts differs from the reference", filter, document);
    }
    const known = verdictsByKey.get(key);
    if (known !== undefined && known !== verdicts) throw differs(`two answers for the key ${key}`, filter);
    verdictsByKey.set(key, verdicts);
  }
  t.ok(matched > 20_000 && matched < FILTERS * DOCUMENTS - 20_000, `filters tell documents apart (${matched} matches)`);
});

t.test("a path yields what the iterator of the design yields", async (t) => {
  judge(
    t,
    { "a.b": null },
    [{ a: 4 }, { a: {} }, {}, { a: null }, { a: [{ b: 1 }, { c: 1 }] }, { a: { b: null } }],
    [{ a: [4] }, { a: [] }, { a: [{ b: 1 }] }, { a: [[{ c: 1 }]] }],
  );
  judge(t, { "a.b": { $exists: false } }, [{ a: [4] }, { a: [] }, { a: 4 }, {}], [{ a: [{ b: null }] }]);
  judge(t, { "a.1": 2 }, [{ a: [0, 2] }, { a: { 1: 2 } }, { a: [{ 1: 2 }] }], [{ a: [5, [2, 4]] }, { a: [2] }]);
  judge(t, { "a.01": 2 }, [{ a: { "01": 2 } }, { a: [{ "01": 2 }] }], [{ a: [0, 2] }]);
  judge(t, { "a.0.0": 1 }, [{ a: [[1]] }, { a: [{ 0: 1 }] }, { a: { 0: [1] } }], [{ a: [1] }, { a: [[[1]]] }]);
});

t.test("names that objects inherit are missing unless a document has them", async (t) => {
  for (const name of ["toString", "hasOwnProperty", "valueOf", "__defineGetter__", "length"]) {
    judge(
      t,
      { [`a.${name}`]: { $exists: true } },
      [{ a: { [name]: 1 } }],
      [{ a: {} }, { a: "text" }, { a: [1, 2] }, {}],
    );
  }
});

t.test("equality and ranges stay in their class and are exact across double and int64", async (t) => {
  const long = (text: string) => ({ $numberLong: text });
  judge(t, { a: 2 ** 53 }, [{ a: long("9007199254740992") }], [{ a: long("9007199254740993") }]);
  judge(t, { a: long("1") }, [{ a: 1 }, { a: [1] }], [{ a: true }, { a: "1" }]);
  judge(t, { a: { $gt: 2 ** 53 } }, [{ a: long("9007199254740993") }, { a: 1e300 }], [{ a: 2 ** 53 }, { a: "z" }]);
  judge(t, { a: { $lt: long("9223372036854775807") } }, [{ a: 0 }], [{ a: 2 ** 63 }, { a: null }, {}]);
  judge(t, { a: { $gte: false } }, [{ a: true }, { a: false }], [{ a: 1 }, { a: { $date: 0 } }]);
  judge(t, { a: { $gt: { $date: 0 } } }, [{ a: { $date: 1 } }], [{ a: { $date: 0 } }, { a: { $date: -1 } }, { a: 5 }]);
  judge(t, { a: { $gt: "\uffff" } }, [{ a: "😀" }], [{ a: "z" }, { a: "\ue000" }]);
  judge(t, { a: { x: 1, y: 2 } }, [{ a: { x: 1, y: 2 } }, { a: [{ x: 1, y: 2 }] }], [{ a: { y: 2, x: 1 } }]);
  const binary = (base64: string) => ({ $binary: { base64, subType: "00" } });
  judge(t, { a: { $gt: binary("/w==") } }, [{ a: binary("AAA=") }], [{ a: binary("AQ==") }, { a: binary("/w==") }]);
});

t.test("$in finds values of every class, also among many", async (t) => {
  const many = Array.from({ length: 240 }, (_, i) => i * 2);
  const mixed = [null, "x", true, { $date: 5 }, { $binary: { base64: "AQ==", subType: "00" } }, [1], { k: 1 }, []];
  judge(
    t,
    { a: { $in: [...many, ...mixed, { $numberLong: "9007199254740993" }] } },
    [
      ...mixed.map((a) => ({ a })),
      {},
      { a: { $numberLong: "2" } },
      { a: [3, 4] },
      { a: { $numberLong: "9007199254740993" } },
    ],
    [{ a: 3 }, { a: "y" }, { a: false }, { a: { $date: 6 } }, { a: { k: 2 } }, { a: [3] }, { a: 2 ** 53 }],
  );
  judge(t, { a: { $in: [] } }, [], [{}, { a: null }, { a: [] }]);
  judge(t, { a: { $nin: [] } }, [{}, { a: 1 }], []);
});

t.test("$mod truncates, keeps the dividend's sign and refuses doubles outside int64", async (t) => {
  judge(t, { a: { $mod: [3, -2] } }, [{ a: -5 }, { a: -5.9 }, { a: { $numberLong: "-5" } }], [{ a: 5 }, { a: "-5" }]);
  judge(
    t,
    { a: { $mod: [2, 0] } },
    [{ a: -4 }, { a: 0.5 }, { a: -(2 ** 63) }],
    [{ a: 2 ** 63 }, { a: 1e300 }, { a: 1 }],
  );
  judge(t, { a: { $mod: [-3, 0] } }, [{ a: 9 }, { a: [1, 9] }], [{ a: 8 }, {}]);
});

t.test("text operators take their operand literally, line ends and NUL included", async (t) => {
  judge(t, { a: { $endsWith: "b" } }, [{ a: "ab" }, { a: ["x", "b"] }], [{ a: "ab\n" }, { a: "B" }, { a: 1 }]);
  judge(t, { a: { $contains: ".*" } }, [{ a: "a.*b" }], [{ a: "abc" }]);
  judge(t, { a: { $startsWith: "a\0" } }, [{ a: "a\0b" }], [{ a: "a" }]);
});

t.test("$elemMatch judges elements of an array, and arrays inside as objects", async (t) => {
  judge(t, { a: { $gt: 3, $lt: 5 } }, [{ a: [1, 10] }, { a: 4 }], [{ a: [1, 2] }]);
  judge(t, { a: { $elemMatch: { $gt: 3, $lt: 5 } } }, [{ a: [1, 4] }], [{ a: [1, 10] }, { a: 4 }, { a: [[4]] }]);
  judge(t, { a: { $elemMatch: { $ne: 1 } } }, [{ a: [1, 2] }], [{ a: [1] }, { a: [] }, { a: 2 }, {}]);
  judge(t, { a: { $elemMatch: { $size: 1 } } }, [{ a: [[1]] }], [{ a: [1] }]);
  judge(t, { a: { $elemMatch: { 0: 7 } } }, [{ a: [[7]] }, { a: [{ 0: 7 }] }], [{ a: [7] }, { a: [[8, 7]] }]);
  judge(t, { a: { $elemMatch: { "1.b": 7 } } }, [{ a: [[0, { b: 7 }]] }], [{ a: [[{ b: 7 }]] }]);
  judge(t, { a: { $elemMatch: { length: { $exists: true } } } }, [{ a: [{ length: 0 }] }], [{ a: [[1]] }]);
  judge(t, { a: { $elemMatch: { _l: 1, $or: [{ b: 1 }] } } }, [{ a: [{ _l: 1, b: 1 }] }], [{ a: [{ _l: 1 }] }]);
  judge(
    t,
    { a: { $all: [{ $elemMatch: { b: 1 } }, { $elemMatch: { b: 2 } }] } },
    [{ a: [{ b: 1 }, { b: 2 }] }],
    [{ a: [{ b: 1 }] }],
  );
});

t.test("an $elemMatch operand that stands alone judges one element", async (t) => {
  const element = (operand: unknown, value: unknown) => {
    const faults = new Faults();
    const node = parseElementMatch(operand, "filter", faults);
    faults.throwIfAny();
    return node !== undefined && compileElement(node)(decodeValue(value, "value", faults));
  };
  t.ok(element({ $gte: 2 }, 2));
  t.notOk(element({ $gte: 2 }, [2]), "an element is not opened");
  t.ok(element({ score: { $lt: 5 } }, { score: 4 }));
  t.notOk(element({ score: null }, 4), "a scalar has no fields");
  t.throws(() => element({}, 1), { code: "invalid_argument" });
});
