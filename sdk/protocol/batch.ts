import type { BatchOperation } from "./api.ts";
import type { Faults } from "./errors.ts";
import { idFault } from "./id.ts";
import { LIMITS } from "./limits.ts";
import { parseMembers } from "./members.ts";

/** The members that each operation has beside `op` and `collection`: those it needs, and those it may have. */
const OPERATIONS = {
  create: { needs: ["document"], may: ["id", "ifVersion"] },
  set: { needs: ["id", "document"], may: ["ifVersion"] },
  update: { needs: ["id", "update"], may: ["upsert", "ifVersion"] },
  delete: { needs: ["id"], may: ["ifVersion"] },
  check: { needs: ["id", "ifVersion"], may: [] },
} as const satisfies Record<BatchOperation["op"], { needs: readonly string[]; may: readonly string[] }>;

/** What is wrong with a member, in words; documents and updates are judged by who knows their collection. */
const MEMBER_FAULTS: Record<string, (member: unknown) => string | undefined> = {
  collection: (name) => (isCollectionName(name) ? undefined : "expects a collection's name"),
  id: idFault,
  ifVersion: (version) =>
    typeof version === "number" && Number.isSafeInteger(version) && version >= 0
      ? undefined
      : "expects a version as an integer, 0 for absence",
  upsert: (upsert) => (typeof upsert === "boolean" ? undefined : "expects true or false"),
};

/**
 * Reads the body of `POST /v1/batch`: `{operations: [{op, collection, id?, document? | update?, upsert?, ifVersion?}]}`.
 * Faults name their operation, as in `operations.3.id`. Documents and updates are handed on as they came.
 */
export function parseBatch(input: unknown, faults: Faults): BatchOperation[] {
  const operations = parseMembers(input, "", ["operations"], faults)?.get("operations");
  if (!Array.isArray(operations)) {
    faults.add(
      "operations",
      operations === undefined ? "missing_member" : "bad_operand",
      "expects a list of operations",
    );
    return [];
  }
  if (operations.length > LIMITS.batchOperations) {
    faults.add("operations", "too_many_values", `expects at most ${LIMITS.batchOperations} operations`);
    return [];
  }
  return operations.flatMap((operation: unknown, i) => parseOperation(operation, `operations.${i}`, faults) ?? []);
}

/** Whether a text may name a collection of an app; names that start with `_` are the server's (http-api.md "Routes"). */
export function isCollectionName(name: unknown): name is string {
  return typeof name === "string" && /^[a-z][a-z0-9_-]{0,62}$/.test(name);
}

function parseOperation(input: unknown, at: string, faults: Faults): BatchOperation | undefined {
  const op = operationOf(input);
  if (!op) {
    faults.add(at, "bad_operand", `expects an object with "op", one of ${Object.keys(OPERATIONS).join(", ")}`);
    return undefined;
  }
  const needed = ["collection", ...OPERATIONS[op].needs];
  const members = parseMembers(input, at, ["op", ...needed, ...OPERATIONS[op].may], faults);
  if (!members) return undefined;
  let legal = true;
  for (const name of needed) {
    if (members.has(name)) continue;
    faults.add(`${at}.${name}`, "missing_member", `is needed by "${op}"`);
    legal = false;
  }
  for (const [name, member] of members) {
    const fault = MEMBER_FAULTS[name]?.(member);
    if (fault === undefined) continue;
    faults.add(`${at}.${name}`, "bad_operand", fault);
    legal = false;
  }
  // Every member of the type was just judged: that is what makes this a BatchOperation.
  return legal ? (Object.fromEntries(members) as unknown as BatchOperation) : undefined;
}

function operationOf(input: unknown): BatchOperation["op"] | undefined {
  if (typeof input !== "object" || input === null || !Object.hasOwn(input, "op")) return undefined;
  const { op } = input as { readonly op: unknown };
  return typeof op === "string" && Object.hasOwn(OPERATIONS, op) ? (op as BatchOperation["op"]) : undefined;
}
