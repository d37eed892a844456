import { type AdminScope, authorizeAdmin } from "../../access/authorize.ts";
import type { Principal } from "../../access/principal.ts";
import type { UserAdmin } from "../../accounts/contract.ts";
import type { Replies } from "../reply.ts";
import type { Call, Route } from "../route.ts";
import { object, type Schema } from "../schema.ts";
import { DATA, DEVICE, EMAIL, ME, PROFILE } from "./auth-schemas.ts";
import { visitOf } from "./visit.ts";

const USERS = "/v1/admin/users";
const ONE = `${USERS}/{id}`;
const REQUESTS: Schema = {
  ...{ type: ["integer", "null"], minimum: 1, maximum: 1_000_000 },
  description: "Requests for data; null: as many as the setting `limits.user` says.",
};
const LIMITS = object({ requestsPerMinute: REQUESTS }, ["requestsPerMinute"]);
const USER: Schema = object({
  ...ME.properties,
  disabledAt: { type: ["string", "null"], format: "date-time" },
  disabledReason: { type: ["string", "null"] },
  notes: { type: ["string", "null"] },
  limits: LIMITS,
});
const RIGHTS = {
  roles: { type: "array", items: { type: "string" }, description: "At most 16." },
  claims: DATA,
} as const satisfies Record<string, Schema>;
/** What only admins see. */
const ADMINS_OWN: Record<string, Schema> = {
  notes: { type: ["string", "null"], maxLength: 4000 },
  limits: { ...LIMITS, type: ["object", "null"] },
};

/** Users as admins manage them: accounts.md 7.5. */
export function userRoutes(users: UserAdmin, replies: Replies): Route[] {
  const reading = shared("read");
  const writing = { ...shared("write"), writes: true } as const;
  const user = { 200: { description: "The user", schema: USER } };
  const acting = (
    path: string,
    summary: string,
    act: (call: Call<AdminScope>) => Promise<void>,
  ): Route<AdminScope> => ({
    ...writing,
    method: "POST",
    path: `${ONE}/${path}`,
    summary,
    replies: { 204: { description: "Done" } },
    errors: ["not_found", "contention", "failed_precondition"],
    async answer(call) {
      await act(call);
      replies.empty(call.reply, 204);
    },
  });
  const routes: Route<AdminScope>[] = [
    {
      ...reading,
      method: "GET",
      path: USERS,
      summary: "List users, by id",
      parameters: ["q", "after"],
      replies: {
        200: {
          description: "A page",
          schema: object({ users: { type: "array", items: USER }, next: { type: "string" } }, ["users"]),
        },
      },
      errors: [],
      async answer({ scope, parameters: { q, after }, reply }) {
        const query = { ...(q !== undefined && { q }), ...(after !== undefined && { after }) };
        replies.json(reply, 200, JSON.stringify(await users.list(scope, query)));
      },
    },
    {
      ...writing,
      method: "POST",
      path: USERS,
      summary: "Make a user and mail an invitation",
      body: object({ email: EMAIL, name: { type: "string" }, ...RIGHTS, proven: { type: "boolean" } }, ["email"]),
      replies: { 201: { description: "The user", schema: USER } },
      errors: ["already_exists"],
      async answer(call) {
        const body = call.body as Parameters<UserAdmin["create"]>[1];
        replies.json(call.reply, 201, JSON.stringify(await users.create(call.scope, body, visitOf(call))));
      },
    },
    {
      ...reading,
      method: "GET",
      path: ONE,
      summary: "Read a user",
      replies: user,
      errors: ["not_found"],
      async answer({ scope, params, reply }) {
        replies.json(reply, 200, JSON.stringify(await users.get(scope, params.id)));
      },
    },
    {
      ...writing,
      method: "PATCH",
      path: ONE,
      summary: "Change a user's roles, claims, notes, limits, name, locale or preferences",
      body: object({ ...PROFILE, ...RIGHTS, ...ADMINS_OWN }),
      replies: user,
      errors: ["not_found", "contention"],
      async answer(call) {
        const { scope, params, body, reply } = call;
        replies.json(reply, 200, JSON.stringify(await users.change(scope, params.id, body as object, visitOf(call))));
      },
    },
    {
      ...writing,
      method: "DELETE",
      path: ONE,
      summary: "Remove a user; what they wrote stays",
      replies: { 204: { description: "Removed" } },
      errors: ["not_found", "contention"],
      async answer(call) {
        await users.remove(call.scope, call.params.id, visitOf(call));
        replies.empty(call.reply, 204);
      },
    },
    {
      ...writing,
      method: "POST",
      path: `${ONE}/disable`,
      summary: "Close an account: nobody comes in by it, and who is in is out",
      body: object({ reason: { type: "string", maxLength: 500 } }),
      bodyOptional: true,
      replies: user,
      errors: ["not_found", "contention"],
      async answer(call) {
        const { scope, params, body, reply } = call;
        const reason = (body ?? {}) as { reason?: string };
        replies.json(reply, 200, JSON.stringify(await users.disable(scope, params.id, reason, visitOf(call))));
      },
    },
    {
      ...writing,
      method: "POST",
      path: `${ONE}/enable`,
      summary: "Open a closed account again",
      replies: user,
      errors: ["not_found", "contention"],
      async answer(call) {
        const { scope, params, reply } = call;
        replies.json(reply, 200, JSON.stringify(await users.enable(scope, params.id, visitOf(call))));
      },
    },
    acting("sign-out", "End every session of a user", (call) =>
      users.signOut(call.scope, call.params.id, visitOf(call)),
    ),
    acting("send-reset", "Mail a link that sets a new password", (call) =>
      users.sendReset(call.scope, call.params.id, visitOf(call)),
    ),
    {
      ...reading,
      method: "GET",
      path: `${ONE}/sessions`,
      summary: "A user's devices",
      replies: { 200: { description: "Newest first", schema: object({ sessions: { type: "array", items: DEVICE } }) } },
      errors: ["not_found"],
      async answer({ scope, params, reply }) {
        replies.json(reply, 200, JSON.stringify(await users.sessions(scope, params.id)));
      },
    },
  ];
  return routes as Route[];
}

function shared(action: "read" | "write") {
  return {
    tag: "Users",
    cache: "no-store",
    authorize: (principal: Principal) => authorizeAdmin(principal, "users", action),
  } as const;
}
