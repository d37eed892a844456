import { encodeValue } from "#protocol/values";
import { type AdminScope, authorizeAdmin } from "../../access/authorize.ts";
import type { Principal } from "../../access/principal.ts";
import type { ExplainService, ImpactBody, SimulateBody, WhoBody } from "../../documents/explain-contract.ts";
import type { Replies } from "../reply.ts";
import type { Route } from "../route.ts";
import { object, type Schema } from "../schema.ts";
import { checkCollectionName } from "./names.ts";

const RULES = "/v1/admin/rules";
const TEXT: Schema = { type: "string" };
const TEXTS: Schema = { type: "array", items: TEXT };
const COLLECTION: Schema = { type: "string", maxLength: 63 };
const IDENTITY: Schema = {
  type: "object",
  description: "{anonymous: true}, {userId}, or some of id, guest, email, roles, claims of somebody made up",
};
const DRAFT: Schema = { description: "A draft of `rules.json`" };
const MOST_IDENTITIES = 20;
const MOST_SAMPLED = 1000;

const EXPLANATION = object(
  {
    verdict: { type: "string", enum: ["allow", "deny", "unknown"] },
    status: { type: "integer" },
    code: TEXT,
    because: { description: "The path of the clause that would turn the verdict, or a list of them" },
    summary: TEXT,
    tree: {
      type: "object",
      description: "{path, op, value, children?, field?, operand?, found?, negated?, poisoned?}",
    },
    poisoned: { type: "array", items: object({ path: TEXT, variable: TEXT, reason: TEXT }) },
    lookups: { type: "array", items: { type: "object" } },
    fields: object({ hidden: TEXTS, readOnly: TEXTS, notQueryable: TEXTS, changed: TEXTS }),
    plan: { type: "object", description: "Of a list: {filter, scan, indexes, advice?}" },
    rulesVersion: { type: "integer" },
  },
  ["verdict", "because", "summary", "tree", "poisoned", "lookups", "fields", "rulesVersion"],
);

/** Why somebody may, or may not: access-rules.md 9. */
export function explainRoutes(explain: ExplainService, replies: Replies): Route[] {
  const shared = {
    tag: "Access rules",
    cache: "no-store",
    authorize: (principal: Principal) => authorizeAdmin(principal, "rules", "read"),
  } as const;
  const routes: Route<AdminScope>[] = [
    {
      ...shared,
      method: "POST",
      path: `${RULES}/simulate`,
      summary: "Judge a request that nobody sends, and tell why",
      body: object(
        {
          as: IDENTITY,
          action: { type: "string", enum: ["list", "get", "create", "update", "delete"] },
          collection: COLLECTION,
          id: TEXT,
          document: { type: "object", description: "In place of what is stored; of a create, what is created" },
          update: { type: "object", description: "As PATCH takes it" },
          next: { type: "object", description: "As PUT takes it" },
          filter: { type: "object" },
          request: object({ ip: TEXT, origin: TEXT }),
          at: { type: "string", format: "date-time" },
          rules: DRAFT,
        },
        ["as", "action", "collection"],
      ),
      replies: { 200: { description: "The verdict, and why", schema: EXPLANATION } },
      errors: ["not_found", "query_too_expensive", "timeout"],
      async answer({ scope, body, reply }) {
        const question = body as SimulateBody;
        checkCollectionName(question.collection);
        replies.json(reply, 200, encodeValue(await explain.simulate(scope, question)));
      },
    },
    {
      ...shared,
      method: "POST",
      path: `${RULES}/who`,
      summary: "List which of up to 1,000 users may get a document",
      body: object({ collection: COLLECTION, id: TEXT }, ["collection", "id"]),
      replies: {
        200: {
          description: "Ids of those who may; more: there are further users, who were not judged",
          schema: object({
            anonymous: { type: "boolean" },
            users: TEXTS,
            checked: { type: "integer" },
            more: { type: "boolean" },
            rulesVersion: { type: "integer" },
          }),
        },
      },
      errors: ["not_found", "timeout"],
      async answer({ scope, body, reply }) {
        const question = body as WhoBody;
        checkCollectionName(question.collection);
        replies.json(reply, 200, encodeValue(await explain.who(scope, question)));
      },
    },
    {
      ...shared,
      method: "POST",
      path: `${RULES}/impact`,
      summary: "Tell what a draft would change, by identity, collection and action",
      body: object(
        {
          rules: DRAFT,
          as: { type: "array", items: IDENTITY, maxItems: MOST_IDENTITIES },
          sample: { type: "integer", minimum: 1, maximum: MOST_SAMPLED },
        },
        ["rules", "as"],
      ),
      replies: {
        200: {
          description: "Counts of documents now and then; `as`: the place of the identity in the request",
          schema: object({
            changes: { type: "array", items: { type: "object" } },
            rulesVersion: { type: "integer" },
          }),
        },
      },
      errors: ["not_found", "query_too_expensive", "timeout"],
      async answer({ scope, body, reply }) {
        replies.json(reply, 200, encodeValue(await explain.impact(scope, body as ImpactBody)));
      },
    },
    {
      ...shared,
      method: "GET",
      path: `${RULES}/denials/{id}`,
      summary: "Look up why a request was denied, by its request id",
      replies: {
        200: {
          description: "The record, whether rules or document have changed since, and what is answered now",
          schema: object({
            denial: { type: "object" },
            changed: object({ rules: { type: "boolean" }, document: { type: ["boolean", "null"] } }),
            now: { description: "As simulate answers; null: the person is gone" },
          }),
        },
      },
      errors: ["not_found"],
      async answer({ scope, params, reply }) {
        replies.json(reply, 200, encodeValue(await explain.denial(scope, params.id)));
      },
    },
  ];
  return routes as Route[];
}
