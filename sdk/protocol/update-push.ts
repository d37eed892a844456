import type { SortKey } from "./ast.ts";
import { describe } from "./describe.ts";
import { LIMITS } from "./limits.ts";
import { hasNumericSegment, parsePath } from "./paths.ts";
import type { Effect } from "./update-ast.ts";
import type { Place } from "./update-operators.ts";
import { decodeValue, isObjectValue, isTag, type Value } from "./values.ts";

const MODIFIERS = new Set(["$each", "$position", "$sort", "$slice"]);

/** Whether an operand is data as it stands: anything but an object, or a tagged value. */
export function isPlainOperand(operand: unknown): boolean {
  if (!isObjectValue(operand)) return true;
  const first = Object.keys(operand)[0];
  return first !== undefined && isTag(first);
}

/** The operand of `$push`: a value, or `{$each, $position?, $sort?, $slice?}`. */
export function parsePush(operand: unknown, place: Place): Effect {
  const values = parseEach(operand, place, MODIFIERS);
  if (!hasModifiers(operand)) return { kind: "push", values };
  const position = integer(operand, "$position", place);
  const slice = integer(operand, "$slice", place);
  const sort = Object.hasOwn(operand, "$sort") ? parseElementSort(operand.$sort, place) : undefined;
  return {
    kind: "push",
    values,
    ...(position !== undefined && { position }),
    ...(sort && { sort }),
    ...(slice !== undefined && { slice }),
  };
}

/** The values of `$push` and `$addToSet`: the operand itself, or the list in its `$each`. */
export function parseEach(operand: unknown, place: Place, allowed: ReadonlySet<string> = new Set(["$each"])): Value[] {
  const { at, faults } = place;
  const element = { ...place, level: place.level + 1 };
  if (!hasModifiers(operand)) return [decodeValue(operand, at, faults, element.level)];
  for (const key of Object.keys(operand)) {
    if (allowed.has(key)) continue;
    if (key.startsWith("$"))
      faults.add(`${at}.${key.slice(0, 40)}`, "unknown_operator", `expects ${[...allowed].join(", ")}`);
    else faults.add(at, "mixed_object", `expects either a value or ${[...allowed].join(", ")}, got both`);
    return [];
  }
  const list: unknown = operand.$each;
  if (!Array.isArray(list)) {
    faults.add(`${at}.$each`, "bad_operand", `expects an array of values, got ${describe(list)}`);
    return [];
  }
  return decodeValue(list, `${at}.$each`, faults, place.level) as Value[];
}

function hasModifiers(operand: unknown): operand is Record<string, unknown> {
  if (!isObjectValue(operand)) return false;
  const first = Object.keys(operand)[0];
  return first?.startsWith("$") === true && !isTag(first);
}

function integer(operand: Record<string, unknown>, name: string, { at, faults }: Place): number | undefined {
  if (!Object.hasOwn(operand, name)) return undefined;
  const value = operand[name];
  if (Number.isSafeInteger(value)) return value as number;
  faults.add(`${at}.${name}`, "bad_operand", `expects an integer, got ${describe(value)}`);
  return undefined;
}

function parseElementSort(operand: unknown, { at, faults }: Place): SortKey[] | undefined {
  if (operand === 1 || operand === -1) return [{ path: [], descending: operand === -1 }];
  const where = `${at}.$sort`;
  if (!Array.isArray(operand) || operand.length === 0) {
    faults.add(where, "bad_operand", 'expects 1, -1 or a list of paths such as ["-score"]');
    return undefined;
  }
  if (operand.length > LIMITS.sortKeys) {
    faults.add(where, "too_many_values", `a sort has at most ${LIMITS.sortKeys} keys`);
    return undefined;
  }
  return operand.map((text: unknown, i) => {
    if (typeof text !== "string") {
      faults.add(`${where}.${i}`, "bad_operand", 'expects a path, with "-" in front to sort descending');
      return { path: [], descending: false };
    }
    const descending = text.startsWith("-");
    const path = parsePath(descending ? text.slice(1) : text, `${where}.${i}`, faults, true);
    if (hasNumericSegment(path))
      faults.add(`${where}.${i}`, "numeric_segment", "a sort may not have a numeric segment");
    return { path, descending };
  });
}
