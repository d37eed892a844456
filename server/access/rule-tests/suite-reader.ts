import { isCollectionName } from "#protocol/batch";
import { describe } from "#protocol/describe";
import { Faults } from "#protocol/errors";
import { idFault } from "#protocol/id";
import { decodeValue, isObjectValue, type ObjectValue } from "#protocol/values";
import { cite, type RuleFault, ruleFaults } from "../parsing/rule-faults.ts";
import { readFixed, readMembers } from "../parsing/rule-shapes.ts";
import { copyOf } from "./json-copy.ts";
import type { RuleTest, TestSuite, TestUser } from "./suite.ts";
import { readTest } from "./test-reader.ts";

/** Tests of one set of rules, and the documents that they are tried on. */
const MAX_TESTS = 1000;
const MAX_DOCUMENTS = 10_000;
/** Collections that tests ask of, or fill: each is made for them. */
const MAX_COLLECTIONS = 200;
const NAMES = ["now", "users", "documents", "tests"] as const;
const USER = ["id", "email", "roles", "claims", "guest"] as const;

/** Reads `rules.tests.json` with every fault at once. The input is not changed. */
export function readSuite(input: unknown): { readonly suite: TestSuite; readonly faults: readonly RuleFault[] } {
  const faults = new Faults();
  const written = readFixed(copyOf(input), "tests", NAMES, faults);
  const users = new Map(
    readMembers(written.users, "tests.users", faults, "an object of users by name").map(([name, user]) => [
      name,
      readUser(user, `tests.users.${name}`, faults),
    ]),
  );
  const documents = readDocuments(written.documents, faults);
  const tests = readTests(written.tests, { users, documents }, faults);
  if (new Set([...documents.keys(), ...tests.map(({ collection }) => collection)]).size > MAX_COLLECTIONS) {
    faults.add("tests", "too_large", `speaks of more than ${MAX_COLLECTIONS} collections`);
  }
  return { suite: { now: readNow(written.now, faults), users, documents, tests }, faults: ruleFaults(faults) };
}

/** A date as documents have it, or as text. */
function readNow(input: unknown, faults: Faults): number | undefined {
  if (input === undefined) return undefined;
  const value = typeof input === "string" ? new Date(input) : decodeValue(input, "tests.now", faults);
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value.getTime();
  faults.add("tests.now", "wrong_type", `expects a time like "2026-01-31T10:00:00Z", got ${describe(input)}`);
  return undefined;
}

function readUser(input: unknown, at: string, faults: Faults): TestUser {
  const { id, email, roles = [], claims = {}, guest = false } = readFixed(input, at, USER, faults);
  const isId = typeof id === "string" && id !== "";
  if (!isId) faults.add(`${at}.id`, "wrong_type", `expects the user's id, got ${describe(id)}`);
  const isAddress = email === undefined || typeof email === "string";
  if (!isAddress) faults.add(`${at}.email`, "wrong_type", `expects a proven address, got ${describe(email)}`);
  const areRoles = Array.isArray(roles) && roles.every((role): role is string => typeof role === "string");
  if (!areRoles) faults.add(`${at}.roles`, "wrong_type", `expects a list of texts, got ${describe(roles)}`);
  const held = decodeValue(claims, `${at}.claims`, faults);
  if (!isObjectValue(held)) faults.add(`${at}.claims`, "wrong_type", `expects an object, got ${describe(claims)}`);
  if (typeof guest !== "boolean") {
    faults.add(`${at}.guest`, "wrong_type", `expects true or false, got ${describe(guest)}`);
  }
  return {
    id: isId ? id : "",
    email: isAddress ? email : undefined,
    roles: areRoles ? roles : [],
    claims: isObjectValue(held) ? held : {},
    guest: guest === true,
  };
}

function readDocuments(input: unknown, faults: Faults): Map<string, readonly ObjectValue[]> {
  const documents = new Map<string, readonly ObjectValue[]>();
  let count = 0;
  for (const [collection, list] of readMembers(input, "tests.documents", faults, "lists of documents by collection")) {
    if (faults.full) break;
    const at = `tests.documents.${collection}`;
    if (!isCollectionName(collection)) {
      faults.add(at, "bad_path", `${cite(collection)} is no collection: a letter a-z, then up to 62 of a-z 0-9 _ -`);
    } else if (!Array.isArray(list)) {
      faults.add(at, "wrong_type", `expects a list of documents, got ${describe(list)}`);
    } else if (count + list.length > MAX_DOCUMENTS) {
      faults.add("tests.documents", "too_large", `holds more than ${MAX_DOCUMENTS} documents`);
      break;
    } else documents.set(collection, readList(list, at, faults));
    count += Array.isArray(list) ? list.length : 0;
  }
  return documents;
}

function readList(list: readonly unknown[], at: string, faults: Faults): readonly ObjectValue[] {
  const ids = new Set<string>();
  return list.flatMap((item, i) => {
    const place = `${at}[${i}]`;
    if (faults.full) return [];
    const value = decodeValue(item, place, faults);
    if (!isObjectValue(value)) {
      faults.add(place, "wrong_type", `expects a document, got ${describe(item)}`);
      return [];
    }
    // What is only looked up needs no name.
    const { _id: id = `unnamed-${i}` } = value;
    const fault = idFault(id);
    if (fault !== undefined) faults.add(`${place}._id`, "wrong_type", fault);
    else if (ids.has(id as string)) faults.add(`${place}._id`, "wrong_type", `names ${cite(id as string)} again`);
    ids.add(id as string);
    for (const name of ["_createdAt", "_updatedAt"]) {
      const given = value[name];
      if (given === undefined || given instanceof Date) continue;
      faults.add(`${place}.${name}`, "wrong_type", `expects {"$date": …}, got ${describe(given)}`);
    }
    for (const name of Object.keys(value)) {
      if (!name.startsWith("_") || ["_id", "_createdAt", "_updatedAt"].includes(name)) continue;
      faults.add(`${place}.${name}`, "bad_path", 'is reserved: names starting with "_" are the server\'s');
    }
    return [{ ...value, _id: id }];
  });
}

function readTests(input: unknown, suite: Pick<TestSuite, "users" | "documents">, faults: Faults): RuleTest[] {
  if (!Array.isArray(input)) {
    faults.add("tests.tests", "wrong_type", `expects a list of tests, got ${describe(input)}`);
    return [];
  }
  if (input.length > MAX_TESTS) {
    faults.add("tests.tests", "too_large", `expects at most ${MAX_TESTS} tests, got ${input.length}`);
    return [];
  }
  return input.flatMap((test: unknown, i) =>
    faults.full ? [] : (readTest(test, `tests.tests[${i}]`, suite, faults) ?? []),
  );
}
