import type { ElementTest, Leaf, Node } from "#protocol/ast";
import type { Found } from "#protocol/compare";
import { classOf, compare, MISSING, rankOf } from "#protocol/compare";
import { isObjectValue, type ObjectValue, type Value } from "#protocol/values";

/**
 * A second evaluator, slow and written literally from query-language.md 3, without normalising, sharing or fast paths.
 * It stands against match.ts: where they differ, one of them is wrong.
 */
export function referenceMatch(node: Node, root: Value): boolean {
  switch (node.kind) {
    case "true":
      return true;
    case "false":
      return false;
    case "and":
      return node.of.every((child) => referenceMatch(child, root));
    case "or":
      return node.of.some((child) => referenceMatch(child, root));
    case "not":
      return !referenceMatch(node.of, root);
    default: {
      const open = !["size", "elementValue", "elementObject"].includes(node.kind);
      // An element that is an array counts as the object of its elements.
      const object = Array.isArray(root) ? Object.fromEntries(root.entries()) : root;
      return [...values(object, node.path, 0, open)].some((found) => passes(node, found));
    }
  }
}

function own(v: ObjectValue, key: string): Found {
  return Object.hasOwn(v, key) ? (v[key] as Value) : MISSING;
}

const isObject = (v: Found): v is ObjectValue => v !== MISSING && isObjectValue(v);
const isArray = (v: Found): v is readonly Value[] => Array.isArray(v);

function* values(v: Found, segs: readonly string[], i: number, open: boolean): Generator<Found> {
  if (i === segs.length) {
    if (open && isArray(v)) yield* v;
    yield v;
  } else if (isObject(v)) yield* values(own(v, segs[i] as string), segs, i + 1, open);
  else if (isArray(v)) yield* inArray(v, segs, i, open);
  else yield MISSING;
}

function* inArray(a: readonly Value[], segs: readonly string[], i: number, open: boolean): Generator<Found> {
  for (const [n, e] of a.entries()) {
    if (isObject(e)) yield* values(own(e, segs[i] as string), segs, i + 1, open);
    if (segs[i] === String(n)) {
      if (i + 1 === segs.length) yield e;
      else if (isObject(e)) yield* values(own(e, segs[i + 1] as string), segs, i + 2, open);
      else if (isArray(e)) yield* inArray(e, segs, i + 1, open);
    }
  }
}

function passes(leaf: Leaf, found: Found): boolean {
  switch (leaf.kind) {
    case "compare": {
      const order = compare(found, leaf.value);
      if (leaf.op === "eq") return order === 0;
      if (rankOf(found) !== rankOf(leaf.value)) return false;
      return { gt: order > 0, gte: order >= 0, lt: order < 0, lte: order <= 0 }[leaf.op];
    }
    case "in":
      return leaf.values.some((value) => compare(found, value) === 0);
    case "exists":
      return found !== MISSING;
    case "type":
      return (
        found !== MISSING &&
        leaf.classes.some((name) => name === classOf(found) || (name === "number" && classOf(found) === "int64"))
      );
    case "size":
      return isArray(found) && found.length === leaf.length;
    case "mod": {
      if (typeof found !== "number" && typeof found !== "bigint") return false;
      const whole = BigInt(typeof found === "number" ? Math.trunc(found) : found);
      return BigInt.asIntN(64, whole) === whole && whole % BigInt(leaf.divisor) === BigInt(leaf.remainder);
    }
    case "text":
      if (typeof found !== "string") return false;
      if (leaf.at === "start") return found.slice(0, leaf.text.length) === leaf.text;
      if (leaf.at === "end") return found.length >= leaf.text.length && found.slice(-leaf.text.length) === leaf.text;
      return found.split(leaf.text).length > 1;
    case "elementValue":
      return isArray(found) && found.some((element) => leaf.of.every((test) => passesElement(test, element)));
    case "elementObject":
      return isArray(found) && found.some((e) => (isObject(e) || isArray(e)) && referenceMatch(leaf.of, e));
  }
}

function passesElement(test: ElementTest, element: Value): boolean {
  return test.kind === "not" ? !passes(test.of, element) : passes(test, element);
}
