import { describe } from "#protocol/describe";
import type { Faults } from "#protocol/errors";
import { isObjectValue, type ObjectValue } from "#protocol/values";
import { cite, didYouMean } from "../parsing/rule-faults.ts";
import { readFixed } from "../parsing/rule-shapes.ts";
import type { Action } from "../scopes.ts";
import type { Attempt, Expectation, RuleTest, TestSuite, TestUser } from "./suite.ts";

const EXPECTATIONS = ["can", "cannot", "lists", "gets"] as const;
const KEYS = ["name", "as", "request", "in", "id", "with", "because", "hides", ...EXPECTATIONS] as const;
const ACTIONS: readonly Action[] = ["list", "get", "create", "update", "delete"];
/** What stands beside each expectation. */
const BESIDE: Readonly<Record<(typeof EXPECTATIONS)[number], readonly string[]>> = {
  can: ["id", "with"],
  cannot: ["id", "with", "because"],
  lists: [],
  gets: ["hides"],
};

type Written = { readonly [name in (typeof KEYS)[number]]?: unknown };
type Known = Pick<TestSuite, "users" | "documents">;

/** Reads one test; undefined if it has a fault. */
export function readTest(input: unknown, at: string, suite: Known, faults: Faults): RuleTest | undefined {
  const before = faults.list.length;
  if (!isObjectValue(input)) {
    faults.add(
      at,
      "wrong_type",
      `expects a test {name, as, in, and one of ${EXPECTATIONS.join(", ")}}, got ${describe(input)}`,
    );
    return undefined;
  }
  const written: Written = readFixed(input, at, KEYS, faults);
  const { name } = written;
  if (typeof name !== "string" || name === "") {
    faults.add(`${at}.name`, "wrong_type", `expects what is tested, in a sentence, got ${describe(name)}`);
  }
  const user = readAs(written.as, `${at}.as`, suite, faults);
  const request = readFixed(written.request, `${at}.request`, ["ip", "origin"], faults);
  for (const [key, value] of Object.entries(request)) {
    if (typeof value !== "string")
      faults.add(`${at}.request.${key}`, "wrong_type", `expects a text, got ${describe(value)}`);
  }
  const collection = typeof written.in === "string" ? written.in : "";
  if (collection === "")
    faults.add(`${at}.in`, "wrong_type", `expects a collection's name, got ${describe(written.in)}`);
  const expects = readExpectation(written, at, suite, collection, faults);
  if (faults.list.length > before || !expects || typeof name !== "string") return undefined;
  return { name, user, request: request as RuleTest["request"], collection, expects };
}

/** Absence is no answer: who forgets to say who asks has tested nothing. */
function readAs(input: unknown, at: string, { users }: Known, faults: Faults): TestUser | undefined {
  if (input === null) return undefined;
  const user = typeof input === "string" ? users.get(input) : undefined;
  if (user) return user;
  if (typeof input !== "string")
    faults.add(at, "wrong_type", `expects the name of a user, or null, got ${describe(input)}`);
  else faults.add(at, "wrong_type", `no user ${cite(input)} in tests.users${didYouMean(input, users.keys())}`);
  return undefined;
}

function readExpectation(
  written: Written,
  at: string,
  suite: Known,
  collection: string,
  faults: Faults,
): Expectation | undefined {
  const [kind, second] = EXPECTATIONS.filter((name) => written[name] !== undefined);
  if (!kind || second) {
    const got = second ? `, got ${kind} and ${second}` : "";
    faults.add(at, "wrong_type", `expects one of ${EXPECTATIONS.join(", ")}${got}`);
    return undefined;
  }
  for (const name of ["id", "with", "because", "hides"] as const) {
    if (written[name] === undefined || BESIDE[kind].includes(name)) continue;
    faults.add(`${at}.${name}`, "unknown_key", `says nothing beside ${kind}`);
  }
  const stored = (input: unknown, place: string) => demandStored(input, place, suite, collection, faults);
  switch (kind) {
    case "lists": {
      const ids = written.lists;
      if (Array.isArray(ids)) for (const [i, id] of ids.entries()) stored(id, `${at}.lists[${i}]`);
      else faults.add(`${at}.lists`, "wrong_type", `expects a list of ids, got ${describe(ids)}`);
      return { kind, ids: Array.isArray(ids) ? ids : [] };
    }
    case "gets": {
      const { hides } = written;
      const areTexts = hides === undefined || (Array.isArray(hides) && hides.every((path) => typeof path === "string"));
      if (!areTexts) faults.add(`${at}.hides`, "wrong_type", `expects a list of paths, got ${describe(hides)}`);
      return { kind, id: stored(written.gets, `${at}.gets`), hides: areTexts ? (hides as string[] | undefined) : [] };
    }
    default: {
      const attempt = readAttempt(kind, written, at, stored, suite.documents.get(collection) ?? [], faults);
      if (!attempt) return undefined;
      const { because } = written;
      if (because !== undefined && typeof because !== "string") {
        faults.add(`${at}.because`, "wrong_type", `expects a part of a clause's path, got ${describe(because)}`);
      }
      return kind === "can"
        ? { kind, attempt }
        : { kind, attempt, because: typeof because === "string" ? because : undefined };
    }
  }
}

/** A test on what is not there would pass for a reason of its own. */
function demandStored(input: unknown, at: string, suite: Known, collection: string, faults: Faults): string {
  const documents = suite.documents.get(collection);
  if (typeof input !== "string") faults.add(at, "wrong_type", `expects an id, got ${describe(input)}`);
  else if (!documents) {
    const meant = didYouMean(collection, suite.documents.keys());
    faults.add(at, "wrong_type", `no documents of ${cite(collection)} in tests.documents${meant}`);
  } else if (!documents.some(({ _id }) => _id === input)) {
    const ids = documents.map(({ _id }) => String(_id));
    const message = `no document ${cite(input)} in tests.documents.${collection}${didYouMean(input, ids)}`;
    faults.add(at, "wrong_type", message);
  }
  return String(input);
}

function readAttempt(
  kind: "can" | "cannot",
  written: Written,
  at: string,
  stored: (input: unknown, place: string) => string,
  documents: readonly ObjectValue[],
  faults: Faults,
): Attempt | undefined {
  const action = ACTIONS.find((name) => name === written[kind]);
  if (!action) {
    const message = `expects one of ${ACTIONS.join(", ")}, got ${typeof written[kind] === "string" ? cite(written[kind]) : describe(written[kind])}`;
    faults.add(`${at}.${kind}`, "wrong_type", message);
    return undefined;
  }
  const { with: body } = written;
  const takesBody = action === "create" || action === "update";
  if (takesBody && !isObjectValue(body)) {
    const what = action === "create" ? "the document" : "what is changed, as a PATCH says it";
    faults.add(`${at}.with`, "wrong_type", `expects ${what}, got ${describe(body)}`);
  } else if (!takesBody && body !== undefined) {
    faults.add(`${at}.with`, "unknown_key", `says nothing beside ${action}`);
  }
  const fields = isObjectValue(body) ? body : {};
  switch (action) {
    case "list":
      if (written.id !== undefined) faults.add(`${at}.id`, "unknown_key", "says nothing beside list");
      return { action };
    case "create": {
      const { id = fields._id } = written;
      if (id === undefined) return { action, body: fields };
      if (documents.some(({ _id }) => _id === id)) {
        faults.add(`${at}.id`, "wrong_type", "is the id of a document that is there already");
      }
      return { action, body: { ...fields, _id: id as string } };
    }
    case "update":
      return { action, id: stored(written.id, `${at}.id`), body };
    default:
      return { action, id: stored(written.id, `${at}.id`) };
  }
}
