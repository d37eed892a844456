import { isCollectionName } from "./batch.ts";
import { describe } from "./describe.ts";
import { Faults } from "./errors.ts";
import type { ClientFrame } from "./frames.ts";
import { idFault } from "./id.ts";
import { parseMembers, placeOf } from "./members.ts";

/** Ids of one `get`. */
export const MOST_IDS = 256;
/** Characters of a token, a position, a shape or a hash: beyond what any of them is. */
const MOST_TEXT = { token: 8192, position: 128, shape: 256, hash: 64 };

type Check = (input: unknown, at: string, faults: Faults) => void;

interface Shape {
  readonly needs: readonly (readonly [name: string, check: Check])[];
  readonly may: readonly (readonly [name: string, check: Check])[];
  /** All of them, and what was looked at before. */
  readonly names: readonly string[];
}

function shapeOf(
  needs: Readonly<Record<string, Check>>,
  may: Readonly<Record<string, Check>> = {},
  known: readonly string[] = [],
): Shape {
  const names = [...known, ...Object.keys(needs), ...Object.keys(may)];
  return { needs: Object.entries(needs), may: Object.entries(may), names };
}

const position = text(MOST_TEXT.position);

/** What each kind of frame holds beside `t`; live-queries.md 7. */
const FRAMES: Readonly<Record<ClientFrame["t"], Shape>> = {
  hello: shapeOf({ v: version }, { token: text(MOST_TEXT.token), after: position }, ["t"]),
  auth: shapeOf({ token: tokenOrNull }, {}, ["t"]),
  sub: shapeOf({ s: number, q: query }, { after: position, have }, ["t"]),
  unsub: shapeOf({ s: number }, {}, ["t"]),
  ping: shapeOf({}, {}, ["t"]),
};

/** The questions that can be watched, one of which stands beside `collection`. */
const QUESTIONS: Readonly<Record<string, Check>> = {
  find: object,
  get: ids,
  count: object,
  distinct: object,
  aggregate: object,
};
const KINDS = Object.keys(QUESTIONS);

const QUERY = shapeOf({ collection }, QUESTIONS);
const HAVE = shapeOf({ shape: text(MOST_TEXT.shape), hash: text(MOST_TEXT.hash) });
// What to select is read with the other bodies, by the parser of HTTP.
const BY_IDS = shapeOf({ ids: listOfIds }, { select: () => {} });

/**
 * Reads what a client sent as one frame. What a question asks in detail is read by the parser of HTTP bodies; here only
 * that it is an object.
 *
 * @param input as `JSON.parse` made it
 * @throws GalleyError `invalid_argument` with the path of every fault
 */
export function parseClientFrame(input: unknown): ClientFrame {
  const faults = new Faults();
  const t = kindOf(input);
  if (t === undefined) {
    const kinds = Object.keys(FRAMES).join(", ");
    const told = typeof input === "object" && input !== null && !Array.isArray(input);
    faults.add("t", told && !Object.hasOwn(input, "t") ? "missing_member" : "bad_operand", `expects one of ${kinds}`);
  } else checkShape(input, "", FRAMES[t], faults);
  faults.throwIfAny();
  return input as ClientFrame;
}

function kindOf(input: unknown): ClientFrame["t"] | undefined {
  if (typeof input !== "object" || input === null || !Object.hasOwn(input, "t")) return undefined;
  const { t } = input as { readonly t: unknown };
  return typeof t === "string" && Object.hasOwn(FRAMES, t) ? (t as ClientFrame["t"]) : undefined;
}

function checkShape(input: unknown, at: string, { needs, may, names }: Shape, faults: Faults): void {
  const members = parseMembers(input, at, names, faults);
  if (!members) return;
  for (const [name, check] of needs) {
    const path = placeOf(at, name);
    if (members.has(name)) check(members.get(name), path, faults);
    else faults.add(path, "missing_member", "is needed");
  }
  for (const [name, check] of may) {
    if (members.has(name)) check(members.get(name), placeOf(at, name), faults);
  }
}

function version(input: unknown, at: string, faults: Faults): void {
  if (input !== 1) faults.add(at, "bad_operand", `expects 1, the version of this protocol, got ${describe(input)}`);
}

function number(input: unknown, at: string, faults: Faults): void {
  if (typeof input === "number" && Number.isSafeInteger(input) && input >= 0) return;
  faults.add(at, "bad_operand", `expects a whole number from 0, got ${describe(input)}`);
}

function text(most: number): Check {
  return (input, at, faults) => {
    if (typeof input === "string" && input.length > 0 && input.length <= most) return;
    const got = typeof input === "string" ? `${input.length} characters` : describe(input);
    faults.add(at, "bad_operand", `expects a text of 1 to ${most} characters, got ${got}`);
  };
}

function tokenOrNull(input: unknown, at: string, faults: Faults): void {
  if (input !== null) text(MOST_TEXT.token)(input, at, faults);
}

function object(input: unknown, at: string, faults: Faults): void {
  if (typeof input === "object" && input !== null && !Array.isArray(input)) return;
  faults.add(at, "bad_operand", `expects an object, got ${describe(input)}`);
}

function have(input: unknown, at: string, faults: Faults): void {
  checkShape(input, at, HAVE, faults);
}

function query(input: unknown, at: string, faults: Faults): void {
  checkShape(input, at, QUERY, faults);
  if (typeof input !== "object" || input === null) return;
  const asked = KINDS.filter((name) => Object.hasOwn(input, name));
  if (asked.length === 1) return;
  const fault = asked.length === 0 ? "missing_member" : "mixed_object";
  faults.add(at, fault, `expects exactly one of ${KINDS.join(", ")}`);
}

function collection(input: unknown, at: string, faults: Faults): void {
  if (!isCollectionName(input)) faults.add(at, "bad_operand", "expects a collection's name");
}

function ids(input: unknown, at: string, faults: Faults): void {
  checkShape(input, at, BY_IDS, faults);
}

function listOfIds(input: unknown, at: string, faults: Faults): void {
  if (!Array.isArray(input) || input.length > MOST_IDS) {
    const got = Array.isArray(input) ? `${input.length}` : describe(input);
    faults.add(at, "bad_operand", `expects a list of at most ${MOST_IDS} ids, got ${got}`);
    return;
  }
  for (const [i, id] of input.entries()) {
    const fault = idFault(id);
    if (fault !== undefined) faults.add(`${at}.${i}`, "bad_operand", fault);
  }
}
