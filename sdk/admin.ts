import { DOOR, type Door } from "./door.ts";
import type { Call } from "./http.ts";
import type { Admin } from "./types/admin.ts";
import type { Client } from "./types/client.ts";

export type * from "./types/admin.ts";

/**
 * What a client's admin or service key may do beyond documents. Everything throws `ApiError`: `permission_denied` names
 * the missing scope in `details.scope`.
 *
 * @example
 * import { admin } from "@galley/sdk/admin";
 * const { users } = await admin(db).users.list({ q: "ada@" });
 */
export function admin<S>(db: Client<S>): Admin {
  const { send, encodeObject, encodePart, ApiError } = (db as Client<S> & { readonly [DOOR]: Door })[DOOR];

  const ask = async <R>(method: Call["method"], path: string, values?: object): Promise<R> => {
    return sendText(method, path, values && encodeObject(values, "values"));
  };
  const sendText = async <R>(method: Call["method"], path: string, body?: string): Promise<R> => {
    // A change sent twice is one change; of anything else there could be two.
    const once = method === "POST" || method === "DELETE";
    return (await send({ method, path: `admin/${path}`, body, once })) as R;
  };
  // Strictly: a rule that lost a member on its way would allow more.
  const sendSet = <R>(act: string, set: object): Promise<R> =>
    sendText("POST", `rules/${act}`, encodeObject(given(set), "values", true));
  const one = (area: string, id: string, act = ""): string => `${area}/${encodePart(id, "id")}${act}`;

  return {
    users: {
      list: (options = {}) => ask("GET", `users${parametersOf(options)}`),
      get: async (id) => {
        try {
          return await ask("GET", one("users", id));
        } catch (error) {
          if (ApiError.is(error, "not_found")) return null;
          throw error;
        }
      },
      create: (values) => ask("POST", "users", values),
      update: async (id, values) => ask("PATCH", one("users", id), values),
      delete: async (id) => nothing(await ask("DELETE", one("users", id))),
      disable: async (id, reason) => ask("POST", one("users", id, "/disable"), { reason }),
      enable: async (id) => ask("POST", one("users", id, "/enable")),
      signOut: async (id) => nothing(await ask("POST", one("users", id, "/sign-out"))),
      sendReset: async (id) => nothing(await ask("POST", one("users", id, "/send-reset"))),
      sessions: async (id) => (await ask<Listed>("GET", one("users", id, "/sessions"))).sessions,
    },
    admins: {
      list: async () => (await ask<Listed>("GET", "settings/admins")).admins,
      invite: (values) => ask("POST", "settings/admins", values),
      update: async (id, values) => ask("PATCH", one("settings/admins", id), values),
      delete: async (id) => nothing(await ask("DELETE", one("settings/admins", id))),
    },
    keys: {
      list: async () => (await ask<Listed>("GET", "keys")).keys,
      create: (values) => ask("POST", "keys", values),
      update: async (id, values) => ask("PATCH", one("keys", id), values),
      rotate: async (id, options = {}) => ask("POST", one("keys", id, "/rotate"), options),
      delete: async (id) => nothing(await ask("DELETE", one("keys", id))),
    },
    rules: {
      current: () => ask("GET", "rules"),
      versions: (options = {}) => ask("GET", `rules/versions${parametersOf(options)}`),
      version: async (version) => ask("GET", one("rules/versions", `${version}`)),
      check: async (set) => sendSet("check", set),
      publish: async (values) => sendSet("publish", values),
      rollback: (values) => ask("POST", "rules/rollback", values),
      simulate: async (question) => sendSet("simulate", question),
      who: (document) => ask("POST", "rules/who", document),
      impact: async (values) => sendSet("impact", values),
      denial: async (requestId) => ask("GET", one("rules/denials", requestId)),
    },
    settings: {
      get: () => ask("GET", "settings"),
      update: (change) => ask("PATCH", "settings", change),
    },
    audit: { list: (options = {}) => ask("GET", `audit${parametersOf(options)}`) },
  };
}

/** Replies that hold a list. */
interface Listed {
  readonly sessions: Awaited<ReturnType<Admin["users"]["sessions"]>>;
  readonly admins: Awaited<ReturnType<Admin["admins"]["list"]>>;
  readonly keys: Awaited<ReturnType<Admin["keys"]["list"]>>;
}

function nothing(_reply: unknown): void {}

function parametersOf(values: object): string {
  const query = new URLSearchParams(given(values)).toString();
  return query && `?${query}`;
}

function given(values: object): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
