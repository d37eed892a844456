import t from "tap";
import { Faults } from "#protocol/errors";
import { parseFilter } from "#protocol/filter";
import { normalise } from "#protocol/normalise";
import { toMongoFilter } from "../../server/stores/mongodb/translate.ts";

function translate(filter: unknown, byBranches?: boolean): unknown {
  const faults = new Faults();
  const node = parseFilter(filter, "filter", faults);
  faults.throwIfAny();
  return toMongoFilter(normalise(node), byBranches);
}

const CASES: Record<string, { filter: unknown; mongo: unknown }> = {
  "no condition": { filter: {}, mongo: {} },
  "a filter nothing passes": { filter: { a: { $in: [] } }, mongo: { $nor: [{}] } },
  "a literal, never read as operators": { filter: { a: { b: 1 } }, mongo: { a: { $eq: { b: 1 } } } },
  "null, which missing fields pass": { filter: { "a.b": null }, mongo: { "a.b": { $eq: null } } },
  "two tests of one path, which two elements may pass": {
    filter: { a: { $gt: 3, $lt: 5 } },
    mongo: { $and: [{ a: { $gt: 3 } }, { a: { $lt: 5 } }] },
  },
  "a negated group, pushed to its leaves": {
    filter: { $nor: [{ a: 1, b: { $exists: false } }] },
    mongo: { $or: [{ b: { $exists: true } }, { a: { $not: { $eq: 1 } } }] },
  },
  "a missing field": { filter: { a: { $exists: false } }, mongo: { a: { $exists: false } } },
  "classes by MongoDB's names": {
    filter: { a: { $type: ["int64", "binary", "number"] } },
    mongo: { a: { $type: ["binData", "long", "number"] } },
  },
  "an int64 that a double does not hold": {
    filter: { a: { $numberLong: "9007199254740993" } },
    mongo: { a: { $eq: 9007199254740993n } },
  },
  "prefix-as-range: a prefix is a pattern, which a range of strings is not": {
    filter: { a: { $startsWith: "a.b" } },
    mongo: { a: { $regex: "^a\\.b" } },
  },
  "text at the end, before no final newline": { filter: { a: { $endsWith: "x" } }, mongo: { a: { $regex: "x\\z" } } },
  "text with everything that patterns read": {
    filter: { a: { $contains: "\\^$.|?*+()[]{}\0-/#" } },
    mongo: { a: { $regex: "\\\\\\^\\$\\.\\|\\?\\*\\+\\(\\)\\[\\]\\{\\}\\x00-/#" } },
  },
  "a negated pattern": { filter: { a: { $not: { $contains: "x" } } }, mongo: { a: { $not: { $regex: "x" } } } },
  "value-form-keys: each test of an element keeps a key of its own": {
    filter: { a: { $elemMatch: { $eq: 1, $ne: 2, $in: [1, 3], $nin: [4], $endsWith: "x" } } },
    mongo: { a: { $elemMatch: { $eq: 1, $in: [1, 3], $ne: 2, $nin: [4], $regex: "x\\z" } } },
  },
  "an element in its object form, whatever it holds": {
    filter: { a: { $elemMatch: { $or: [{ b: 1 }, { c: { $ne: 1 } }] } } },
    mongo: { a: { $elemMatch: { $or: [{ b: { $eq: 1 } }, { c: { $not: { $eq: 1 } } }] } } },
  },
  "elements of elements": {
    filter: { a: { $elemMatch: { $elemMatch: { $gte: 1 } } } },
    mongo: { a: { $elemMatch: { $elemMatch: { $gte: 1 } } } },
  },
  "a size beyond int32, which mongod refuses": {
    filter: { a: { $size: 2 ** 40 } },
    mongo: { a: { $size: 2 ** 31 - 1 } },
  },
  "remainders as longs": { filter: { a: { $mod: [2 ** 40, -1] } }, mongo: { a: { $mod: [2n ** 40n, -1n] } } },
};

for (const [name, { filter, mongo }] of Object.entries(CASES)) {
  t.test(`MongoDB is asked for ${name}`, async (t) => {
    t.strictSame(translate(filter), mongo);
  });
}

t.test("of an element's test and a choice beside it, indexes are found for one alone", async (t) => {
  const filter = { a: { $elemMatch: { c: null } }, $or: [{ b: 1 }, { c: { $gt: 2 } }] };
  const element = { a: { $elemMatch: { c: { $eq: null } } } };
  const choice = { $or: [{ b: { $eq: 1 } }, { c: { $gt: 2 } }] };
  const unlooked = (part: object) => ({ $nor: [{ $nor: [part] }] });
  t.strictSame(translate(filter), { $and: [element, unlooked(choice)] });
  t.strictSame(translate(filter, true), { $and: [unlooked(element), choice] });
});
