import { type AdminScope, authorizeAdmin } from "../../access/authorize.ts";
import type { Principal } from "../../access/principal.ts";
import type { ServiceKeys } from "../../accounts/keys/service-keys.ts";
import type { Replies } from "../reply.ts";
import type { Call, Route } from "../route.ts";
import { object, type Schema } from "../schema.ts";
import { visitOf } from "./visit.ts";

const KEYS = "/v1/admin/keys";
const TIME: Schema = { type: "string", format: "date-time" };
const TEXTS: Schema = { type: "array", items: { type: "string" } };
const KEY = object({
  id: { type: "string" },
  name: { type: "string" },
  scopes: TEXTS,
  createdAt: TIME,
  createdBy: { type: "string" },
  suspended: { type: "boolean", description: "The admin who made it is gone: nobody comes in by it." },
  expiresAt: { type: ["string", "null"], format: "date-time" },
  networks: TEXTS,
  lastUsedAt: TIME,
  lastUsedFrom: { type: "string" },
});
const MADE = object({ key: KEY, secret: { type: "string", description: "The whole key, shown this once." } });
const SETTINGS = {
  name: { type: "string" },
  scopes: { type: "array", items: { type: "string", examples: ["documents:posts:list"] } },
  expiresAt: { type: ["string", "null"], format: "date-time", description: "null: never; a year from now if absent." },
  networks: { type: "array", items: { type: "string", examples: ["10.0.0.0/8"] } },
} as const satisfies Record<string, Schema>;

/** Service keys: accounts.md 10. */
export function keyRoutes(keys: ServiceKeys, replies: Replies): Route[] {
  const reading = shared("read");
  const writing = { ...shared("write"), writes: true } as const;
  return [
    {
      ...reading,
      method: "GET",
      path: KEYS,
      summary: "List service keys, without their secrets",
      replies: { 200: { description: "Keys", schema: object({ keys: { type: "array", items: KEY } }, ["keys"]) } },
      errors: [],
      async answer({ scope, reply }: Call<AdminScope>) {
        replies.json(reply, 200, JSON.stringify(await keys.list(scope)));
      },
    },
    {
      ...writing,
      method: "POST",
      path: KEYS,
      summary: "Make a service key; it is shown this once",
      body: object(SETTINGS, ["name", "scopes"]),
      replies: { 201: { description: "The key and its secret", schema: MADE } },
      errors: [],
      async answer(call: Call<AdminScope>) {
        const { scope, body, reply } = call;
        replies.json(reply, 201, JSON.stringify(await keys.create(scope, body, visitOf(call))));
      },
    },
    {
      ...writing,
      method: "PATCH",
      path: `${KEYS}/{id}`,
      summary: "Change a key's name, scopes, expiry or networks, or make a suspended one count again",
      body: object({ ...SETTINGS, suspended: { type: "boolean", description: "false only: you answer for it now." } }),
      replies: { 200: { description: "The key", schema: KEY } },
      errors: ["not_found"],
      async answer(call: Call<AdminScope>) {
        const { scope, params, body, reply } = call;
        replies.json(reply, 200, JSON.stringify(await keys.change(scope, params.id, body, visitOf(call))));
      },
    },
    {
      ...writing,
      method: "POST",
      path: `${KEYS}/{id}/rotate`,
      summary: "Give a key a new secret; the old one stays good for `overlap` seconds",
      body: object({ overlap: { type: "integer", minimum: 0, maximum: 86_400 } }),
      bodyOptional: true,
      replies: { 200: { description: "The key and its new secret", schema: MADE } },
      errors: ["not_found"],
      async answer(call: Call<AdminScope>) {
        const { scope, params, body, reply } = call;
        replies.json(reply, 200, JSON.stringify(await keys.rotate(scope, params.id, body ?? {}, visitOf(call))));
      },
    },
    {
      ...writing,
      method: "DELETE",
      path: `${KEYS}/{id}`,
      summary: "Revoke a key, at once",
      replies: { 204: { description: "Revoked" } },
      errors: ["not_found"],
      async answer(call: Call<AdminScope>) {
        await keys.remove(call.scope, call.params.id, visitOf(call));
        replies.empty(call.reply, 204);
      },
    },
  ];
}

function shared(action: "read" | "write") {
  return {
    tag: "Service keys",
    cache: "no-store",
    authorize: (principal: Principal) => authorizeAdmin(principal, "keys", action),
  } as const;
}
