import { type AdminScope, authorizeAdmin } from "../../access/authorize.ts";
import type { Principal } from "../../access/principal.ts";
import type { PublishBody, RulesBody, RulesService } from "../../access/publishing/rules-contract.ts";
import type { Replies } from "../reply.ts";
import type { Route } from "../route.ts";
import { object, type Schema } from "../schema.ts";
import { visitOf } from "./visit.ts";

const RULES = "/v1/admin/rules";
/** Characters of a note. */
const MAX_NOTE = 1000;
/** Warnings that one publish may acknowledge. */
const MAX_ACKNOWLEDGED = 100;

const ANY: Schema = { description: "As in `rules.json`; null: none." };
const AUTHOR = object({ kind: { type: "string" }, id: { type: "string" }, name: { type: ["string", "null"] } });
const INFO = {
  version: { type: "integer" },
  by: AUTHOR,
  at: { type: "string", format: "date-time" },
  note: { type: "string" },
} as const satisfies Record<string, Schema>;
const FAULTS: Schema = {
  type: "array",
  items: object({ path: { type: "string" }, code: { type: "string" }, message: { type: "string" } }),
};
const VERSION = object({ ...INFO, rules: ANY, tests: ANY, faults: FAULTS }, ["version", "rules", "tests"]);
const FINDINGS: Schema = {
  type: "array",
  items: object(
    {
      id: { type: "string" },
      level: { type: "string", enum: ["error", "warning", "note"] },
      path: { type: "string" },
      message: { type: "string" },
      fix: {},
    },
    ["id", "level", "path", "message"],
  ),
};
const TESTS: Schema = {
  type: "array",
  items: object({ name: { type: "string" }, passed: { type: "boolean" }, message: { type: "string" } }, [
    "name",
    "passed",
  ]),
};
const PUBLISHED = object({ ...INFO, findings: FINDINGS, tests: TESTS });
/** Rules and tests: access/rules.ts judges them, with paths. */
const SET = { rules: { description: "`rules.json`" }, tests: { description: "`rules.tests.json`" } } as const;
const NOTE: Schema = { type: "string", maxLength: MAX_NOTE };
const NUMBER: Schema = { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER };

/** Access rules: access-rules.md 10. */
export function rulesRoutes(rules: RulesService, replies: Replies): Route[] {
  const reading = shared("read");
  const writing = { ...shared("write"), writes: true } as const;
  const routes: Route<AdminScope>[] = [
    {
      ...reading,
      method: "GET",
      path: RULES,
      summary: "Read the access rules in force; version 0: none were published",
      replies: { 200: { description: "The rules", schema: VERSION } },
      errors: ["failed_precondition"],
      async answer({ scope, reply }) {
        replies.json(reply, 200, JSON.stringify(await rules.current(scope)));
      },
    },
    {
      ...reading,
      method: "GET",
      path: `${RULES}/versions`,
      summary: "List the versions, newest first",
      parameters: ["after", "limit"],
      replies: {
        200: {
          description: "A page",
          schema: object({ versions: { type: "array", items: object(INFO) }, next: { type: "string" } }, ["versions"]),
        },
      },
      errors: ["failed_precondition"],
      async answer({ scope, parameters: { after, limit }, reply }) {
        replies.json(reply, 200, JSON.stringify(await rules.versions(scope, { after, limit })));
      },
    },
    {
      ...reading,
      method: "GET",
      path: `${RULES}/versions/{id}`,
      summary: "Read one version",
      replies: { 200: { description: "The version", schema: VERSION } },
      errors: ["not_found", "failed_precondition"],
      async answer({ scope, params, reply }) {
        replies.json(reply, 200, JSON.stringify(await rules.version(scope, params.id)));
      },
    },
    {
      ...reading,
      method: "POST",
      path: `${RULES}/check`,
      summary: "Check rules and run their tests; stores nothing",
      body: object(SET, ["rules"]),
      replies: {
        200: {
          description: "All that was found",
          schema: object({ faults: FAULTS, findings: FINDINGS, tests: TESTS }),
        },
      },
      errors: ["failed_precondition"],
      async answer({ scope, body, reply }) {
        replies.json(reply, 200, JSON.stringify(await rules.check(scope, body as RulesBody)));
      },
    },
    {
      ...writing,
      method: "POST",
      path: `${RULES}/publish`,
      summary: "Put rules in force, on every node once this is answered",
      body: object(
        {
          ...SET,
          ifVersion: { ...NUMBER, description: "The version they were made from; 0: none." },
          acknowledge: { type: "array", items: { type: "string" }, maxItems: MAX_ACKNOWLEDGED },
          note: NOTE,
        },
        ["rules", "ifVersion"],
      ),
      replies: { 200: { description: "The new version", schema: PUBLISHED } },
      errors: ["version_conflict", "failed_precondition"],
      async answer(call) {
        const published = await rules.publish(call.scope, call.body as PublishBody, visitOf(call));
        replies.json(call.reply, 200, JSON.stringify(published));
      },
    },
    {
      ...writing,
      method: "POST",
      path: `${RULES}/rollback`,
      summary: "Publish an old version as a new one",
      body: object({ version: NUMBER, note: NOTE }, ["version"]),
      replies: { 200: { description: "The new version", schema: PUBLISHED } },
      errors: ["not_found", "version_conflict", "failed_precondition"],
      async answer(call) {
        const body = call.body as Parameters<RulesService["rollback"]>[1];
        replies.json(call.reply, 200, JSON.stringify(await rules.rollback(call.scope, body, visitOf(call))));
      },
    },
  ];
  return routes as Route[];
}

function shared(action: "read" | "write") {
  return {
    tag: "Access rules",
    cache: "no-store",
    authorize: (principal: Principal) => authorizeAdmin(principal, "rules", action),
  } as const;
}
