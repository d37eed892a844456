import { Faults, GalleyError } from "#protocol/errors";
import { parseFilter } from "#protocol/filter";
import { idFault } from "#protocol/id";
import { parseUpdate } from "#protocol/update";
import { decodeValue, isObjectValue } from "#protocol/values";
import type { RuledPrincipal } from "../access/caller.ts";
import { parseRules } from "../access/parsing/rules.ts";
import type { RuleSet } from "../access/rule-tree.ts";
import type { Identity, SimulateBody } from "./explain-contract.ts";
import { type Image, imageOf, readDocument } from "./images.ts";
import type { Question } from "./simulation.ts";

/** Members of an identity that need not exist. */
const MADE_UP = new Set(["id", "guest", "email", "roles", "claims"]);
/** The id of a document that has none. */
const NO_ID = "simulated";

export interface IdentityParts {
  readonly person: (id: string) => Promise<RuledPrincipal | undefined>;
  readonly request?: SimulateBody["request"];
}

/** Who is meant. @throws GalleyError `invalid_argument`; `not_found` if there is no such person */
export async function readIdentity(
  as: Identity,
  at: string,
  { person, request = {} }: IdentityParts,
): Promise<RuledPrincipal> {
  const from = { address: request.ip ?? "127.0.0.1", ...(request.origin !== undefined && { origin: request.origin }) };
  const members = Object.keys(as);
  if (as.anonymous === true && members.length === 1) return { kind: "anonymous", ...from };
  if (typeof as.userId === "string" && members.length === 1) {
    const found = await person(as.userId);
    if (!found) throw new GalleyError("not_found", `${at}.userId: there is no such person`);
    return { ...found, ...from };
  }
  return madeUp(as, at, from);
}

function madeUp(
  as: Identity,
  at: string,
  from: { readonly address: string; readonly origin?: string },
): RuledPrincipal {
  const faults = new Faults();
  const { id = "somebody", guest = false, email, roles = [], claims = {} } = as;
  for (const name of Object.keys(as)) {
    if (MADE_UP.has(name)) continue;
    faults.add(
      `${at}.${name}`,
      "unknown_member",
      "expects {anonymous: true}, {userId}, or some of id, guest, email, roles, claims",
    );
  }
  if (typeof id !== "string" || idFault(id) !== undefined) faults.add(`${at}.id`, "bad_value", "expects an id");
  if (typeof guest !== "boolean") faults.add(`${at}.guest`, "bad_value", "expects true or false");
  if (email !== undefined && typeof email !== "string")
    faults.add(`${at}.email`, "bad_value", "expects a proven address");
  if (!Array.isArray(roles) || !roles.every((role) => typeof role === "string")) {
    faults.add(`${at}.roles`, "bad_value", "expects a list of texts");
  }
  const decoded = decodeValue(claims, `${at}.claims`, faults);
  if (!isObjectValue(decoded)) faults.add(`${at}.claims`, "bad_value", "expects an object");
  faults.throwIfAny();
  return {
    ...{ kind: "user", session: "", provedAt: 0, ...from },
    ...{ id: id as string, guest: guest as boolean, email: email as string | undefined },
    ...{ roles: roles as readonly string[], claims: isObjectValue(decoded) ? decoded : {} },
  };
}

/** A draft, or else the rules in force. @throws GalleyError `invalid_argument` with every fault */
export function readDraft(draft: unknown, inForce: RuleSet): RuleSet {
  if (draft === undefined) return inForce;
  const { rules, faults } = parseRules(draft, inForce.version);
  const [first] = faults;
  if (!first) return rules;
  const message = first.path === "rules" ? first.message : `rules: ${first.message}`;
  throw new GalleyError("invalid_argument", message, { faults });
}

export interface Given extends Pick<SimulateBody, "action" | "id" | "document" | "update" | "next" | "filter"> {
  readonly now: number;
  /** What is stored under the id. */
  readonly stored: Image | undefined;
}

/** The parts of a question that a document or a change is. @throws GalleyError `invalid_argument` with every fault */
export function readChange(given: Given): Pick<Question, "id" | "before" | "fields" | "update" | "next" | "filter"> {
  const faults = new Faults();
  const { action, stored, now } = given;
  const creates = action === "create";
  const document = given.document === undefined ? undefined : readDocument(given.document, "document", faults);
  const id = given.id ?? document?.id ?? NO_ID;
  const next = given.next === undefined ? undefined : readDocument(given.next, "next", faults).fields;
  const update = given.update === undefined ? undefined : parseUpdate(given.update, "update", faults);
  const fault = idFault(id);
  if (fault !== undefined) faults.add("id", "bad_value", fault);
  const filter = given.filter === undefined ? undefined : parseFilter(given.filter, "filter", faults);
  const known = { next, update, document: creates ? undefined : document };
  for (const [name, value] of Object.entries({ next: known.next, update: known.update })) {
    if (value !== undefined && action !== "update") faults.add(name, "unknown_member", "belongs to the action update");
  }
  if (next && update) faults.add("next", "unknown_member", "expects an update or what it leaves, not both");
  if (filter && action !== "list") faults.add("filter", "unknown_member", "belongs to the action list");
  faults.throwIfAny();
  const at = document?.createdAt ?? new Date(now);
  const standIn =
    document && !creates
      ? imageOf({ _id: id, _v: stored?.version ?? 1, _createdAt: at, _updatedAt: new Date(now) }, document.fields)
      : undefined;
  const before = creates && !given.id ? undefined : (standIn ?? stored);
  return { id, before, next, update, filter, fields: creates ? document?.fields : undefined };
}

/** @throws GalleyError `invalid_argument` */
export function readTime(at: string | undefined, now: number): number {
  if (at === undefined) return now;
  const time = Date.parse(at);
  if (/^\d{4}-\d\d-\d\dT/.test(at) && !Number.isNaN(time)) return time;
  throw new GalleyError("invalid_argument", "at: expects a time as ISO 8601, as in 2026-01-31T12:00:00Z");
}
