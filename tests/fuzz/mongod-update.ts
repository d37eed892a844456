import { type Document, Double } from "mongodb";
import type { Change, Elements, Update } from "#protocol/update-ast";
import { isObjectValue, type ObjectValue, type Value } from "#protocol/values";
import { toMongoFilter } from "../../server/stores/mongodb/translate.ts";

/** The options and the update with which `updateOne` should do what `applyUpdate` does. */
export interface MongoUpdate {
  readonly update: Document;
  readonly arrayFilters: Document[];
}

/**
 * An update of ours in MongoDB's operators; undefined if it says what they cannot say: nothing at all, `$now`, whose
 * instant is the request's, and an `$arrayFilters` entry in the object form.
 */
export function toMongoUpdate({ changes }: Update): MongoUpdate | undefined {
  const update: Record<string, Document> = {};
  const filters = new Map<string, Document>();
  for (const change of changes) {
    const operand = operandOf(change);
    if (operand === undefined) return undefined;
    for (const segment of change.path.segments) {
      if (typeof segment === "string" || segment.kind === "every") continue;
      const condition = conditionOf(segment);
      if (!condition) return undefined;
      filters.set(segment.name, condition);
    }
    update[change.operator] = { ...update[change.operator], [change.path.text]: operand };
  }
  return changes.length === 0 ? undefined : { update, arrayFilters: [...filters.values()] };
}

function conditionOf({ name, of }: Elements & { kind: "accepted" }): Document | undefined {
  if (of.kind !== "elementValue") return undefined;
  const { "": match } = toMongoFilter({ ...of, path: [] });
  return { [name]: (match as Document).$elemMatch };
}

function operandOf(change: Change): unknown {
  switch (change.kind) {
    case "set":
    case "setOnInsert":
    case "min":
    case "max":
      return storedForm(change.value);
    case "unset":
      return "";
    case "now":
      return undefined;
    case "inc":
    case "mul":
      return factorOf(change.by);
    case "push":
      return pushOf(change);
    case "addToSet":
      return { $each: change.values.map(storedForm) };
    case "pull":
      return pullOf(change.of);
    case "pullAll":
      // `$pull` of one value is read as the same change.
      return change.operator === "$pull" ? storedForm(change.values[0] as Value) : change.values.map(storedForm);
    case "pop":
      return change.end === "first" ? -1 : 1;
    case "rename":
      return change.to.text;
  }
}

function pushOf({ values, position, sort, slice }: Change & { kind: "push" }): Document {
  const [whole] = sort ?? [];
  const order =
    whole?.path.length === 0
      ? whole.descending
        ? -1
        : 1
      : Object.fromEntries((sort ?? []).map(({ path, descending }) => [path.join("."), descending ? -1 : 1]));
  return {
    $each: values.map(storedForm),
    ...(position !== undefined && { $position: position }),
    ...(sort && { $sort: order }),
    ...(slice !== undefined && { $slice: slice }),
  };
}

function pullOf(of: (Change & { kind: "pull" })["of"]): Document {
  if (of.kind === "elementValue") return (toMongoFilter({ ...of, path: [] })[""] as Document).$elemMatch;
  // MongoDB takes the operand for a filter of objects if its first key is a field, so one comes first that none has.
  return { "no such field": { $exists: false }, ...toMongoFilter(of.of) };
}

/**
 * A value with every number as a double. As ints, which the driver makes of small integers, sums past int32 would become
 * longs; as doubles they stay what they are in the language.
 */
export function storedForm(value: Value): unknown {
  if (typeof value === "number") return new Double(value);
  if (Array.isArray(value)) return value.map(storedForm);
  if (!isObjectValue(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, storedForm(inner)]));
}

/** As a long if it can be one: with a long MongoDB then makes a long, as the language does, and with a double a double. */
function factorOf(by: number | bigint): unknown {
  return typeof by === "number" && Number.isSafeInteger(by) ? BigInt(by) : storedForm(by);
}

/** Beyond it the product of two integers may need more than 53 bits. */
const SMALL = 2 ** 26;

/**
 * Whether MongoDB must do with this document what the language does. It rounds where an int64 meets a double and the
 * language does not; its `$pull` looks into arrays inside the array; and its updates (not its filters) take "00" for an
 * index.
 */
export function isShared({ changes }: Update, document: ObjectValue): boolean {
  const found = numbersIn(document);
  const doubles = found.filter((number) => typeof number === "number");
  const long = found.length > doubles.length;
  return changes.every((change) => {
    if (change.path.segments.some((segment) => typeof segment === "string" && /^0\d/.test(segment))) return false;
    if (change.kind === "pull" || change.path.segments.some(isAccepted)) return !nestsArrays(document);
    if (change.kind !== "inc" && change.kind !== "mul") return true;
    const { by } = change;
    if (typeof by === "number") return Number.isSafeInteger(by) || !long;
    return doubles.length === 0 || [by, ...doubles].every((number) => number > -SMALL && number < SMALL);
  });
}

function isAccepted(segment: string | Elements): boolean {
  return typeof segment !== "string" && segment.kind === "accepted";
}

function numbersIn(value: Value): (number | bigint)[] {
  if (typeof value === "number" || typeof value === "bigint") return [value];
  return childrenOf(value).flatMap(numbersIn);
}

function nestsArrays(value: Value): boolean {
  const children = childrenOf(value);
  return (Array.isArray(value) && children.some(Array.isArray)) || children.some(nestsArrays);
}

function childrenOf(value: Value): readonly Value[] {
  if (Array.isArray(value)) return value;
  return isObjectValue(value) ? Object.values(value) : [];
}
