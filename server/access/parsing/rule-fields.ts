import { type Term, Variable } from "#protocol/ast";
import { describe } from "#protocol/describe";
import { parseTerm } from "#protocol/filter";
import { parsePlainPath } from "#protocol/paths";
import { isObjectValue } from "#protocol/values";
import type { FieldRule } from "../rule-tree.ts";
import { RuleDialect } from "./rule-dialect.ts";
import { readRule } from "./rule-reader.ts";
import type { RuleScope } from "./rule-scope.ts";
import { readFixed, readMembers } from "./rule-shapes.ts";

const KEYS = ["read", "write", "immutable", "default"] as const;

/** Reads the field masks of a collection; access-rules.md 6. */
export function readFields(input: unknown, at: string, scope: RuleScope): readonly FieldRule[] {
  const fields: FieldRule[] = [];
  for (const [path, field] of readMembers(input, at, scope.faults, "an object of masks by path")) {
    if (scope.faults.full) break;
    const mask = readField(path, field, `${at}.${path}`, scope);
    if (mask) fields.push(mask);
  }
  return Object.freeze(fields);
}

function readField(text: string, input: unknown, at: string, scope: RuleScope): FieldRule | undefined {
  const { faults } = scope;
  const path = Object.freeze(parsePlainPath(text, at, faults));
  const [first = ""] = path;
  if (first === "_id" || first === "_v")
    faults.add(at, "bad_path", "cannot be masked: whoever sees a document sees it");
  if (!isObjectValue(input)) {
    faults.add(at, "wrong_type", `expects an object with some of ${KEYS.join(" ")}, got ${describe(input)}`);
    return undefined;
  }
  const found = readFixed(input, at, KEYS, faults);
  const { read = true, write, immutable = false } = found;
  if (typeof immutable !== "boolean") {
    faults.add(`${at}.immutable`, "wrong_type", `expects true or false, got ${describe(immutable)}`);
  }
  if (first.startsWith("_") && found.default !== undefined) {
    faults.add(`${at}.default`, "bad_path", "is filled by the server, so it has no default");
  }
  return Object.freeze({
    at,
    path,
    read: readRule(read, "field", `${at}.read`, scope),
    write: write === undefined ? undefined : readRule(write, "field", `${at}.write`, scope),
    immutable: immutable === true,
    default: found.default === undefined ? undefined : readDefault(found.default, `${at}.default`, scope),
  });
}

/** A literal or a variable of the caller. */
function readDefault(input: unknown, at: string, scope: RuleScope): Term | undefined {
  const term = parseTerm(input, at, scope.faults, new RuleDialect(scope, scope.budget));
  if (!(term instanceof Variable) || !/^\$(?:before|doc)\./.test(term.name)) return term;
  const [head] = term.name.split(".");
  scope.faults.add(at, "variable_not_here", `${head} does not exist at create; use $auth.…, $request.… or $now`);
  return undefined;
}
