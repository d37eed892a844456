import type { Node } from "#protocol/ast";
import { GalleyError } from "#protocol/errors";
import { pathsOf } from "#protocol/filter-paths";
import { and } from "#protocol/normalise";
import type { Update } from "#protocol/update-ast";
import type { ObjectValue } from "#protocol/values";
import { type Authorizer, createAuthorizer, type Scope } from "../access/authorize.ts";
import type { RuledPrincipal } from "../access/caller.ts";
import { type SimulatedRights, simulateRights } from "../access/explaining/simulated-rights.ts";
import type { LookupCache } from "../access/lookups.ts";
import type { RuleSet } from "../access/rule-tree.ts";
import type { Action } from "../access/scopes.ts";
import type { DocumentStore } from "../stores/document-store.ts";
import type { Image } from "./images.ts";
import { demandAny, settled } from "./judgement.ts";
import { enforceSchema, notFound, type Operation, operate } from "./operation.ts";
import { demandQueryable } from "./queryable.ts";
import type { Schema } from "./schema/schema.ts";

/** What is asked, parsed. */
export interface Question {
  readonly principal: RuledPrincipal;
  readonly action: Action;
  readonly collection: string;
  readonly id: string;
  /** What is stored, or stands in for it. */
  readonly before: Image | undefined;
  /** Of a create. */
  readonly fields?: ObjectValue | undefined;
  /** A PATCH. */
  readonly update?: Update | undefined;
  /** A PUT. */
  readonly next?: ObjectValue | undefined;
  readonly filter?: Node | undefined;
  readonly now: number;
  readonly rules: RuleSet;
  readonly schema: Schema | undefined;
}

/** What the service would answer. */
export interface Outcome {
  /** `unknown`: it depends on a document that was not given. */
  readonly verdict: "allow" | "deny" | "unknown";
  readonly error?: GalleyError;
  readonly after?: Image | undefined;
  readonly rights: SimulatedRights;
  readonly scope: Scope;
}

export interface SimulationParts {
  readonly store: DocumentStore;
  readonly cache: LookupCache;
}

/** Judges a question by the code that judges requests, up to the commit. */
export async function simulate(question: Question, { store, cache }: SimulationParts): Promise<Outcome> {
  const { principal, rules, now, collection } = question;
  const rights = simulateRights({ store, cache, rules, principal, now });
  const access: Authorizer = createAuthorizer(rights);
  const scope = access.scope(principal, collection);
  try {
    return { rights, scope, ...(await settled(scope, () => judged(question, scope, rights))) };
  } catch (error) {
    if (!(error instanceof GalleyError) || error.status >= 500) throw error;
    return { verdict: "deny", error, rights, scope };
  }
}

/** @throws GalleyError what the request would end with; Unsettled */
function judged(question: Question, scope: Scope, rights: SimulatedRights): Pick<Outcome, "verdict" | "after"> {
  rights.reset();
  const { action, before, filter } = question;
  switch (action) {
    case "list":
      scope.demand("list");
      if (filter) demandQueryable(scope, pathsOf(filter));
      // A list never fails for what its rule keeps out.
      if (!before) return { verdict: "allow" };
      return { verdict: scope.allows("list", { image: before }) ? "allow" : "deny" };
    case "get":
      scope.demand("get");
      if (!before || !scope.allows("get", { image: before })) throw notFound();
      return { verdict: "allow" };
    default:
      return judgedWrite(question, scope);
  }
}

function judgedWrite(question: Question, scope: Scope): Pick<Outcome, "verdict" | "after"> {
  const { before, schema, now } = question;
  const operation = operationOf(question);
  demandAny(scope, operation?.op === "set" ? ["update", "create"] : [question.action]);
  if (!operation) return withoutChange(question, scope);
  const nextVersion = (image: Image | undefined) => (image?.version ?? 0) + 1;
  const after = operate(operation, before, { scope, schema, now: new Date(now), nextVersion });
  if (after && after !== before) enforceSchema(after, schema, "document", scope);
  return { verdict: "allow", after };
}

/** An update of which nothing is known is judged on what is stored; of a create nothing is stored. */
function withoutChange({ action, before }: Question, scope: Scope): Pick<Outcome, "verdict"> {
  if (action === "create") return { verdict: scope.always("create") ? "allow" : "unknown" };
  if (!before) throw notFound();
  const images = { image: before };
  if (scope.allows("update", images))
    return { verdict: scope.always("update") && scope.masks.none ? "allow" : "unknown" };
  throw scope.allows("get", images)
    ? new GalleyError("permission_denied", "the access rules do not allow this change")
    : notFound();
}

function operationOf({ action, id, fields, update, next }: Question): Operation | undefined {
  if (action === "delete") return { op: "delete", id };
  if (action === "create") return fields && { op: "create", id, fields };
  if (next) return { op: "set", id, fields: next };
  return update && { op: "update", id, update, upsert: false };
}

/** What a list of these rules asks the store. */
export function listFilter({ filter }: Question, scope: Scope): Node {
  return filter ? and(filter, scope.filter) : scope.filter;
}
