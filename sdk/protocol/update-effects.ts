import { compare, type Found, MISSING } from "./compare.ts";
import { GalleyError } from "./errors.ts";
import { compileElement } from "./match.ts";
import { addToSet, memberOf, push } from "./update-arrays.ts";
import type { Change } from "./update-ast.ts";
import { arithmetic } from "./update-numbers.ts";
import type { Value } from "./values.ts";

/** What applying an update needs to know of its request. */
export interface UpdateContext {
  /** The request's `_updatedAt`, for `$now`. */
  readonly now: Date;
  /** Whether the document is being created, for `$setOnInsert`. */
  readonly inserting: boolean;
}

/** Gives what shall stand at a place, for what stands there; `MISSING` stands for nothing on both sides. */
export type PlaceEffect = (found: Found) => Found;

/** Changes other than `$rename`, which writes two places. */
export type PlaceChange = Exclude<Change, { kind: "rename" }>;

/** `details.reason` of `path_conflict`: how a stored value does not fit. */
export type ConflictReason = keyof typeof REASONS;

const REASONS = {
  not_an_object: "expects objects along the path, but a stored value on it is none",
  not_an_array: "expects an array, but the stored value is none",
  not_a_number: "expects a number, but the stored value is none",
  not_an_integer: "expects integers on both sides, because one of them is an int64",
  int64_overflow: "the result does not fit an int64",
  not_finite: "the result is too large for a number",
  gap_too_large: "the index lies too far beyond the end of the array",
} as const;

export function pathConflict(operator: string, path: string, reason: ConflictReason): GalleyError {
  return new GalleyError("path_conflict", `${operator} "${path}": ${REASONS[reason]}`, { reason, path });
}

/** What a change does to each place it writes; undefined if it does nothing in this request. */
export function effectOf(change: PlaceChange, { now, inserting }: UpdateContext): PlaceEffect | undefined {
  switch (change.kind) {
    case "set":
      return () => change.value;
    case "setOnInsert":
      return inserting ? () => change.value : undefined;
    case "unset":
      return () => MISSING;
    case "now":
      return () => new Date(now);
    case "inc":
    case "mul":
      return (found) => calculate(change, found);
    case "min":
      return (found) => (found === MISSING || compare(change.value, found) < 0 ? change.value : found);
    case "max":
      return (found) => (found === MISSING || compare(change.value, found) > 0 ? change.value : found);
    case "push":
      return (found) => push(arrayAt(change, found) ?? [], change);
    case "addToSet":
      return (found) => addToSet(arrayAt(change, found) ?? [], change.values);
    case "pull":
      return removal(change, compileElement(change.of));
    case "pullAll":
      return removal(change, memberOf(change.values));
    case "pop":
      return (found) => {
        const array = arrayAt(change, found);
        return array && array.length > 0 ? (change.end === "first" ? array.slice(1) : array.slice(0, -1)) : found;
      };
  }
}

function calculate(change: PlaceChange & { kind: "inc" | "mul" }, found: Found): Value {
  const { kind, by } = change;
  if (found === MISSING) return kind === "inc" ? by : typeof by === "bigint" ? 0n : 0;
  if (typeof found !== "number" && typeof found !== "bigint") throw conflictOf(change, "not_a_number");
  const result = arithmetic(kind, found, by);
  if (typeof result === "string") throw conflictOf(change, result);
  return result;
}

function removal(change: PlaceChange, unwanted: (element: Value) => boolean): PlaceEffect {
  return (found) => {
    const array = arrayAt(change, found);
    if (!array) return found;
    const kept = array.filter((element) => !unwanted(element));
    return kept.length === array.length ? found : kept;
  };
}

/** The array at a place, undefined if nothing stands there. */
function arrayAt(change: PlaceChange, found: Found): readonly Value[] | undefined {
  if (found === MISSING) return undefined;
  if (!Array.isArray(found)) throw conflictOf(change, "not_an_array");
  return found;
}

function conflictOf(change: PlaceChange, reason: ConflictReason): GalleyError {
  return pathConflict(change.operator, change.path.text, reason);
}
