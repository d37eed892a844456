import { describe } from "./describe.ts";
import type { Faults } from "./errors.ts";
import type { Effect } from "./update-ast.ts";
import { parseElements } from "./update-elements.ts";
import type { WritePaths } from "./update-paths.ts";
import { isPlainOperand, parseEach, parsePush } from "./update-push.ts";
import { decodeValue, type Value } from "./values.ts";

/** Where an operand stands. */
export interface Place {
  readonly at: string;
  readonly faults: Faults;
  /** Nesting level that a value at the operator's path has in the document; a document is 1. */
  readonly level: number;
  readonly paths: WritePaths;
}

export type Operator =
  /** `{operator: [path, …]}` */
  | { readonly form: "list"; readonly effect: Effect }
  /** `{operator: {path: operand, …}}`; `parse` gives undefined, with a fault, if the operand does not fit. */
  | {
      readonly form: "map";
      readonly parse: (operand: unknown, place: Place) => Effect | undefined;
      /** Whether its paths may not hold `$[]` and `$[x]`. */
      readonly plain?: true;
    };

/** Every update operator, one row each; query-language.md 6. */
export const OPERATORS: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ["$set", { form: "map", parse: (operand, place) => ({ kind: "set", value: decode(operand, place) }) }],
  [
    "$setOnInsert",
    { form: "map", parse: (operand, place) => ({ kind: "setOnInsert", value: decode(operand, place) }) },
  ],
  ["$unset", { form: "list", effect: { kind: "unset" } }],
  ["$now", { form: "list", effect: { kind: "now" } }],
  ["$inc", { form: "map", parse: (operand, place) => parseNumber("inc", operand, place) }],
  ["$mul", { form: "map", parse: (operand, place) => parseNumber("mul", operand, place) }],
  ["$min", { form: "map", parse: (operand, place) => ({ kind: "min", value: decode(operand, place) }) }],
  ["$max", { form: "map", parse: (operand, place) => ({ kind: "max", value: decode(operand, place) }) }],
  ["$push", { form: "map", parse: parsePush }],
  ["$addToSet", { form: "map", parse: (operand, place) => ({ kind: "addToSet", values: parseEach(operand, place) }) }],
  ["$pull", { form: "map", parse: parsePull }],
  ["$pullAll", { form: "map", parse: parsePullAll }],
  ["$pop", { form: "map", parse: parsePop }],
  ["$rename", { form: "map", plain: true, parse: parseRename }],
]);

function decode(operand: unknown, { at, faults, level }: Place): Value {
  return decodeValue(operand, at, faults, level);
}

function parseNumber(kind: "inc" | "mul", operand: unknown, place: Place): Effect | undefined {
  const before = place.faults.list.length;
  const by = decode(operand, place);
  if (typeof by === "number" || typeof by === "bigint") return { kind, by };
  if (place.faults.list.length > before) return undefined;
  return bad(place, `expects a number, got ${describe(operand)}`);
}

/** An object that is no tag is what `$elemMatch` would accept; anything else is a value to remove. */
function parsePull(operand: unknown, place: Place): Effect | undefined {
  if (isPlainOperand(operand))
    return { kind: "pullAll", values: [decodeValue(operand, place.at, place.faults, place.level + 1)] };
  const of = parseElements(operand, place.at, place.faults);
  return of && { kind: "pull", of };
}

function parsePullAll(operand: unknown, place: Place): Effect | undefined {
  if (!Array.isArray(operand)) return bad(place, `expects an array of the values to remove, got ${describe(operand)}`);
  return { kind: "pullAll", values: decode(operand, place) as readonly Value[] };
}

function parsePop(operand: unknown, place: Place): Effect | undefined {
  if (operand === 1) return { kind: "pop", end: "last" };
  if (operand === -1) return { kind: "pop", end: "first" };
  return bad(place, "expects 1 to remove the last element or -1 to remove the first");
}

function parseRename(operand: unknown, place: Place): Effect | undefined {
  if (typeof operand !== "string") return bad(place, `expects the new path as a string, got ${describe(operand)}`);
  const to = place.paths.parse(operand, place.at, true);
  return to && { kind: "rename", to };
}

function bad({ at, faults }: Place, message: string): undefined {
  faults.add(at, "bad_operand", message);
  return undefined;
}
