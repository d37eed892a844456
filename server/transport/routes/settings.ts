import { type AdminScope, authorizeAdmin } from "../../access/authorize.ts";
import type { Principal } from "../../access/principal.ts";
import type { Admins, AuditLog, MailLog, SettingsRoutes } from "../../accounts/contract.ts";
import type { Replies } from "../reply.ts";
import type { Call, Route } from "../route.ts";
import { object, type Schema } from "../schema.ts";
import { EMAIL } from "./auth-schemas.ts";
import { visitOf } from "./visit.ts";

const SETTINGS = "/v1/admin/settings";
const ADMINS = `${SETTINGS}/admins`;
const ROLE: Schema = { type: "string", enum: ["owner", "editor", "viewer"] };
const ADMIN = object({
  id: { type: "string" },
  email: { type: "string" },
  name: { type: ["string", "null"] },
  role: ROLE,
  invited: { type: "boolean", description: "The invitation is still open." },
  createdAt: { type: "string", format: "date-time" },
  lastSignInAt: { type: ["string", "null"], format: "date-time" },
});

const ALL =
  "All settings by group; `environment`: what variables fix, of secrets only whether they are set; `warnings`: what the server has noticed since its start";

export interface SettingsParts {
  readonly settings: SettingsRoutes;
  readonly admins: Admins;
  readonly auditLog: AuditLog;
  readonly mailLog: MailLog;
  /** Told with the settings. */
  readonly warnings: readonly string[];
}

/** What owners see and set while the server runs: settings, admins, the audit log. */
export function settingsRoutes(
  { settings, admins, auditLog, mailLog, warnings }: SettingsParts,
  replies: Replies,
): Route[] {
  const reading = shared("read");
  const writing = { ...shared("write"), writes: true } as const;
  const all = { 200: { description: ALL, schema: { type: "object" } as Schema } };
  const routes: Route<AdminScope>[] = [
    {
      ...reading,
      method: "GET",
      path: SETTINGS,
      summary: "Read all settings",
      replies: all,
      errors: [],
      async answer({ scope, reply }) {
        replies.json(reply, 200, JSON.stringify({ ...(await settings.all(scope)), warnings }));
      },
    },
    {
      ...writing,
      method: "PATCH",
      path: SETTINGS,
      summary: "Change settings; null brings a default back",
      body: { type: "object", description: "Groups with the members to change, as in {password: {min: 12}}." },
      replies: all,
      errors: ["contention"],
      async answer(call) {
        const { scope, body, reply } = call;
        const settingsNow = await settings.change(scope, body, visitOf(call));
        replies.json(reply, 200, JSON.stringify({ ...settingsNow, warnings }));
      },
    },
    {
      ...reading,
      method: "GET",
      path: ADMINS,
      summary: "List admins",
      replies: { 200: { description: "Admins", schema: object({ admins: { type: "array", items: ADMIN } }) } },
      errors: [],
      async answer({ scope, reply }) {
        replies.json(reply, 200, JSON.stringify(await admins.list(scope)));
      },
    },
    {
      ...writing,
      method: "POST",
      path: ADMINS,
      summary: "Invite an admin",
      body: object({ email: EMAIL, role: ROLE }, ["email", "role"]),
      replies: {
        201: {
          description: "Invited; the link is shown to service keys only",
          schema: object({ admin: ADMIN, link: { type: "string" } }, ["admin"]),
        },
      },
      errors: ["already_exists"],
      async answer(call) {
        const body = call.body as Parameters<Admins["invite"]>[1];
        replies.json(call.reply, 201, JSON.stringify(await admins.invite(call.scope, body, visitOf(call))));
      },
    },
    {
      ...writing,
      method: "POST",
      path: `${ADMINS}/reset`,
      summary: "A link by which an admin sets a new password; for the machine's own key",
      body: object({ email: EMAIL }, ["email"]),
      replies: { 201: { description: "The link", schema: object({ link: { type: "string" } }) } },
      errors: ["not_found"],
      async answer(call) {
        const body = call.body as { email: string };
        replies.json(call.reply, 201, JSON.stringify(await admins.reset(call.scope, body, visitOf(call))));
      },
    },
    {
      ...writing,
      method: "PATCH",
      path: `${ADMINS}/{id}`,
      summary: "Give an admin another role",
      body: object({ role: ROLE }, ["role"]),
      replies: { 200: { description: "The admin", schema: ADMIN } },
      errors: ["not_found", "contention", "failed_precondition"],
      async answer(call) {
        const { scope, params, reply } = call;
        const body = call.body as Parameters<Admins["change"]>[2];
        replies.json(reply, 200, JSON.stringify(await admins.change(scope, params.id, body, visitOf(call))));
      },
    },
    {
      ...writing,
      method: "DELETE",
      path: `${ADMINS}/{id}`,
      summary: "Remove an admin",
      replies: { 204: { description: "Removed" } },
      errors: ["not_found", "contention", "failed_precondition"],
      async answer(call) {
        await admins.remove(call.scope, call.params.id, visitOf(call));
        replies.empty(call.reply, 204);
      },
    },
    {
      ...reading,
      method: "GET",
      path: `${SETTINGS}/mail`,
      summary: "Mails that wait, were sent or failed in the last 30 days, newest first",
      parameters: ["after", "limit"],
      replies: { 200: { description: "A page", schema: { type: "object" } } },
      errors: [],
      async answer({ scope, parameters: { after, limit }, reply }) {
        const page = { ...(after !== undefined && { after }), ...(limit !== undefined && { limit }) };
        replies.json(reply, 200, JSON.stringify(await mailLog.list(scope, page)));
      },
    },
    {
      tag: "Audit",
      cache: "no-store",
      authorize: (principal: Principal) => authorizeAdmin(principal, "audit", "read"),
      method: "GET",
      path: "/v1/admin/audit",
      summary: "Read the audit log, newest first",
      parameters: ["after", "limit", "user", "action"],
      replies: { 200: { description: "A page", schema: { type: "object" } } },
      errors: [],
      async answer({ scope, parameters, reply }: Call<AdminScope>) {
        const { after, limit, user, action } = parameters;
        const query = {
          ...(after !== undefined && { after }),
          ...(limit !== undefined && { limit }),
          ...(user !== undefined && { user }),
          ...(action !== undefined && { action }),
        };
        replies.json(reply, 200, JSON.stringify(await auditLog.list(scope, query)));
      },
    },
  ];
  return routes as Route[];
}

function shared(action: "read" | "write") {
  return {
    tag: "Settings",
    cache: "no-store",
    authorize: (principal: Principal) => authorizeAdmin(principal, "settings", action),
  } as const;
}
