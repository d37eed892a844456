import { MISSING } from "./compare.ts";
import { describe } from "./describe.ts";
import { type Faults, GalleyError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import type { Change, Elements, Update } from "./update-ast.ts";
import { effectOf, pathConflict, type UpdateContext } from "./update-effects.ts";
import { parseArrayFilters } from "./update-elements.ts";
import { OPERATORS, type Operator, type Place } from "./update-operators.ts";
import { refuseConflicts, WritePaths } from "./update-paths.ts";
import { refuseOversize } from "./update-size.ts";
import { through, Writer } from "./update-writer.ts";
import { isObjectValue, type ObjectValue, type Value } from "./values.ts";

const ARRAY_FILTERS = "$arrayFilters";

/**
 * Reads an update: only operators, or only plain keys, each a path to set. Operands are decoded in place, so hand over
 * what `JSON.parse` just made. Faults are collected; the result is not to be used if there are any.
 *
 * @param at where the input stands, as in `document`
 * @throws GalleyError `conflicting_paths` if one place is written twice
 */
export function parseUpdate(input: unknown, at: string, faults: Faults): Update {
  const changes: Change[] = [];
  if (isObjectValue(input)) parseEntries(input as Record<string, unknown>, at, faults, changes);
  else faults.add(at, "bad_value", `expects an object of fields or of update operators, got ${describe(input)}`);
  if (!faults.any) refuseConflicts(changes);
  return Object.freeze({ changes: Object.freeze(changes) });
}

function parseEntries(input: Record<string, unknown>, at: string, faults: Faults, changes: Change[]): void {
  const keys = Object.keys(input);
  const operators = keys.filter((key) => key.startsWith("$"));
  if (operators.length > 0 && operators.length < keys.length) {
    faults.add(at, "mixed_object", "expects either update operators or plain fields, got both");
    return;
  }
  const written = operators.reduce((sum, name) => sum + countPaths(name, input[name]), 0);
  if (Math.max(written, keys.length) > LIMITS.updatePaths) {
    faults.add(at, "too_many_values", `an update writes at most ${LIMITS.updatePaths} paths`);
    return;
  }
  const filters = Object.hasOwn(input, ARRAY_FILTERS)
    ? parseArrayFilters(input[ARRAY_FILTERS], `${at}.${ARRAY_FILTERS}`, faults)
    : new Map<string, Elements>();
  const paths = new WritePaths(filters, faults);
  if (operators.length === 0) parseOperator("$set", input, at, { faults, paths }, changes);
  for (const name of operators) {
    if (name !== ARRAY_FILTERS) parseOperator(name, input[name], `${at}.${clip(name)}`, { faults, paths }, changes);
  }
  for (const name of faults.any ? [] : paths.unused()) {
    faults.add(`${at}.${ARRAY_FILTERS}.${name}`, "bad_operand", `is used by no path; a path uses it as "$[${name}]"`);
  }
}

/** Counts before anything is read, so that a hostile update costs next to nothing. */
function countPaths(operator: string, operand: unknown): number {
  if (typeof operand !== "object" || operand === null || operator === ARRAY_FILTERS) return 0;
  const entries = Array.isArray(operand) ? operand.length : Object.keys(operand).length;
  return operator === "$rename" ? entries * 2 : entries;
}

function parseOperator(
  name: string,
  operand: unknown,
  at: string,
  { faults, paths }: Pick<Place, "faults" | "paths">,
  changes: Change[],
): void {
  const operator = OPERATORS.get(name);
  if (!operator) {
    faults.add(at, "unknown_operator", `expects one of ${[...OPERATORS.keys()].join(" ")}`);
    return;
  }
  const entries = entriesOf(operator, operand, at, faults);
  for (const [text, inner] of entries) {
    const where = operator.form === "list" ? at : `${at}.${clip(text)}`;
    const plain = operator.form === "map" && operator.plain;
    const path = paths.parse(text, where, plain);
    if (!path) continue;
    const place = { at: where, faults, level: path.segments.length + 1, paths };
    const effect = operator.form === "list" ? operator.effect : operator.parse(inner, place);
    if (effect) changes.push(Object.freeze({ operator: name, path, ...effect }));
  }
}

/** The paths of an operator, each with its operand. */
function entriesOf(operator: Operator, operand: unknown, at: string, faults: Faults): [string, unknown][] {
  if (operator.form === "map") {
    if (isObjectValue(operand)) return Object.entries(operand);
    faults.add(at, "bad_operand", `expects an object from paths to operands, got ${describe(operand)}`);
    return [];
  }
  if (Array.isArray(operand) && operand.every((text) => typeof text === "string")) {
    return operand.map((text) => [text, undefined]);
  }
  faults.add(at, "bad_operand", "expects an array of paths");
  return [];
}

/** Keeps a hostile key from filling the reply. */
function clip(key: string): string {
  return key.length > 100 ? `${key.slice(0, 100)}…` : key;
}

/**
 * The document as the update leaves it. The document given is not changed, and what no path touches is shared with it;
 * that the result fits `LIMITS.documentBytes` to the byte is for the caller to check, who makes its text.
 *
 * @throws GalleyError `path_conflict` with `details.reason` and `details.path` if a stored value does not fit,
 *   `invalid_argument` (`too_deep`, `too_many_values`) if the result would be nested too deep or the work be too much,
 *   `payload_too_large` if `$[]` made the result far too large
 */
export function applyUpdate(update: Update, document: ObjectValue, context: UpdateContext): ObjectValue {
  const writer = new Writer(document);
  for (const change of update.changes) {
    if (change.kind === "rename") rename(writer, document, change);
    else {
      const { operator, path } = change;
      const effect = effectOf(change, context);
      if (effect) writer.write({ operator, path, effect, tolerant: change.kind === "unset" });
    }
  }
  if (writer.multiplied) refuseOversize(writer.document);
  return writer.document;
}

function rename(writer: Writer, document: ObjectValue, change: Change & { kind: "rename" }): void {
  const { operator, path, to } = change;
  const value = through(document, path.segments, () => {
    throw pathConflict(operator, path.text, "not_an_object");
  });
  if (value === MISSING) return;
  // All other operands were measured when they were parsed; only here a stored value moves to another level.
  if (levels(value) + to.segments.length > LIMITS.documentDepth) {
    const message = `${operator} "${path.text}": the result is nested deeper than ${LIMITS.documentDepth} levels`;
    throw new GalleyError("invalid_argument", message, {
      faults: [{ path: `${operator}.${path.text}`, code: "too_deep", message }],
    });
  }
  writer.write({ operator, path, effect: () => MISSING });
  writer.write({ operator, path: to, effect: () => value, objectsOnly: true });
}

/** How many levels of objects and arrays a value holds. */
function levels(value: Value): number {
  if (Array.isArray(value)) return 1 + value.reduce<number>((most, item) => Math.max(most, levels(item)), 0);
  return isObjectValue(value)
    ? 1 + Object.values(value).reduce<number>((most, item) => Math.max(most, levels(item)), 0)
    : 0;
}
