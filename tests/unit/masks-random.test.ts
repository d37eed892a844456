import fc from "fast-check";
import t from "tap";
import { encodeValue, type ObjectValue, type Value } from "#protocol/values";
import { type Mask, masksOf, own, put, stored } from "../support/masks.ts";

// Random documents of few names, so that masks meet them, each leaf another number: a canary.
const KEYS = ["a", "b", "0"];
const values = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    fc.integer({ min: 0, max: 3 }),
    fc.dictionary(fc.constantFrom(...KEYS), tie("value"), { maxKeys: 3 }),
    fc.array(tie("value"), { maxLength: 3 }),
  ),
})).value;
const documents = fc.dictionary(fc.constantFrom(...KEYS.slice(0, 2)), values, {
  maxKeys: 2,
}) as fc.Arbitrary<ObjectValue>;
const maskPaths = fc
  .tuple(fc.constantFrom("a", "b"), fc.array(fc.constantFrom(...KEYS), { maxLength: 2 }))
  .map(([first, rest]) => [first, ...rest].join("."));
const verdicts = fc.constantFrom<unknown>(true, false, { a: { $exists: true } });
const maskSets = masksWith(verdicts);
const staticMasks = masksWith(fc.boolean());

function masksWith(verdict: fc.Arbitrary<unknown>): fc.Arbitrary<Record<string, Mask>> {
  const mask = fc.record({ read: verdict, write: fc.option(verdict, { nil: undefined }), immutable: fc.boolean() });
  return fc.dictionary(maskPaths, mask, { minKeys: 1, maxKeys: 3 });
}

/** Every leaf or empty container with the way to it, elements by number. */
function* leavesOf(value: Value, way: readonly (string | number)[] = []): Generator<[(string | number)[], Value]> {
  const entries: [string | number, Value][] = Array.isArray(value)
    ? [...(value as readonly Value[]).entries()]
    : typeof value === "object" && value !== null
      ? Object.entries(value as ObjectValue)
      : [];
  if (entries.length === 0) yield [[...way], value];
  for (const [step, inner] of entries) yield* leavesOf(inner, [...way, step]);
}

/** Whether a mask covers the end of a way: the literal reading, by trying every way to read it. */
function covers(mask: readonly string[], way: readonly (string | number)[], nested = false): boolean {
  if (mask.length === 0) return true;
  const [step, ...rest] = way;
  if (step === undefined) return false;
  if (typeof step === "string") return step === mask[0] && covers(mask.slice(1), rest);
  // Left out, the index may only be followed by a key, or by more of them that are left out.
  return covers(mask, rest, true) || (!nested && String(step) === mask[0] && covers(mask.slice(1), rest));
}

function unreadableLeaves(fields: Readonly<Record<string, Mask>>, document: ObjectValue): string[] {
  const hidden = Object.keys(fields).filter((path) => {
    const { read } = fields[path] as Mask;
    return read === false || (typeof read === "object" && !Object.hasOwn(document, "a"));
  });
  return [...leavesOf(document)]
    .filter(([way]) => hidden.some((mask) => covers(mask.split("."), way)))
    .map(([way]) => way.join("/"));
}

t.test("hide() leaves exactly what a literal reading of the law leaves", async (t) => {
  let hidden = 0;
  fc.assert(
    fc.property(maskSets, documents, (fields, document) => {
      const seen = own(masksOf(fields).hide(stored(structuredClone(document))));
      const gone = new Set(unreadableLeaves(fields, document));
      hidden += gone.size;
      const left = new Map([...leavesOf(seen)].map(([way, value]) => [way.join("/"), value]));
      for (const [way, value] of leavesOf(document)) {
        const found = left.get(way.join("/"));
        if (!gone.has(way.join("/"))) {
          if (found === undefined || encodeValue(found) !== encodeValue(value)) return false;
        } else if (found !== undefined && found !== null && !isEmpty(found)) return false;
      }
      return true;
    }),
    { seed: 1126, numRuns: 1_200 },
  );
  t.ok(hidden > 200, `masks meet documents (${hidden})`);
});

function isEmpty(value: Value): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

t.test("putting back a document as it was read changes nothing", async (t) => {
  fc.assert(
    fc.property(maskSets, documents, (fields, document) => {
      const masks = masksOf(fields);
      const before = stored(structuredClone(document));
      const sent = structuredClone(own(masks.hide(before)));
      const left = put(masks, before, sent);
      return typeof left !== "string" && encodeValue(own(left)) === encodeValue(document);
    }),
    { seed: 1127, numRuns: 1_200 },
  );
  t.pass();
});

/** Whether an object states something on a way, at a place that some mask covers. */
function statesCovered(fields: Readonly<Record<string, Mask>>, sent: ObjectValue, way: (string | number)[]): boolean {
  let value: Value | undefined = sent;
  for (let i = 0; i < way.length; i++) {
    value = typeof value === "object" && value !== null ? (value as ObjectValue)[way[i] as string] : undefined;
    if (value === undefined) return false;
    if (Object.keys(fields).some((mask) => covers(mask.split("."), way.slice(0, i + 1)))) return true;
  }
  return false;
}

t.test("a replacement that is not denied leaves what may not be written, and loses nothing unseen", async (t) => {
  let allowed = 0;
  const property = fc.property(maskSets, documents, documents, (fields, document, sent) => {
    const masks = masksOf(fields);
    const before = stored(structuredClone(document));
    const left = put(masks, before, structuredClone(sent));
    if (typeof left === "string") return true;
    allowed++;
    const passes = (rule: unknown) => rule === true || (rule !== false && Object.hasOwn(document, "a"));
    const closed = Object.keys(fields).filter((path) => {
      const { read, write, immutable } = fields[path] as Mask;
      return immutable || !passes(write ?? read);
    });
    const covered = (value: ObjectValue) =>
      [...leavesOf(value)]
        .filter(([way]) => closed.some((mask) => covers(mask.split("."), way)))
        .map(([way, leaf]) => `${way.join("/")} ${encodeValue(leaf)}`)
        .sort()
        .join("\n");
    if (covered(document) !== covered(left)) return false;
    // What was unseen is there still, unless the caller stated something in its place.
    const after = new Map([...leavesOf(left)].map(([way, leaf]) => [way.join("/"), encodeValue(leaf)]));
    const hidden = new Set(unreadableLeaves(fields, document));
    return [...leavesOf(document)].every(([way, leaf]) => {
      const name = way.join("/");
      return !hidden.has(name) || after.get(name) === encodeValue(leaf) || statesCovered(fields, sent, way);
    });
  });
  fc.assert(property, { seed: 1128, numRuns: 1_200 });
  t.ok(allowed > 300, `replacements are allowed (${allowed})`);
});

t.test("a replacement ends alike whatever the unseen is", async (t) => {
  let allowed = 0;
  const property = fc.property(staticMasks, documents, documents, fc.boolean(), (fields, document, other, guess) => {
    const masks = masksOf(fields);
    const worlds = [stored(structuredClone(document)), masks.hide(stored(structuredClone(document)))];
    const sent = guess ? document : other;
    const [one, two] = worlds.map((before) => {
      const left = put(masks, before, structuredClone(sent));
      if (typeof left === "string") return left;
      allowed++;
      return encodeValue(own(masks.hide(stored(structuredClone(left)))));
    });
    return one === two;
  });
  fc.assert(property, { seed: 1129, numRuns: 1_200 });
  t.ok(allowed > 300, `replacements are allowed (${allowed})`);
});
