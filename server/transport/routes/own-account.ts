import { authorizeOwn, type OwnScope } from "../../access/authorize.ts";
import type { Principal } from "../../access/principal.ts";
import type { Accounts } from "../../accounts/contract.ts";
import type { RefreshCookie } from "../refresh-cookie.ts";
import type { Replies } from "../reply.ts";
import type { Call, Route } from "../route.ts";
import { object } from "../schema.ts";
import { DEVICE, EMAIL, ME, NEXT, PASSWORD, PROFILE, SESSION } from "./auth-schemas.ts";
import { visitOf } from "./visit.ts";

const SESSIONS = "/v1/auth/sessions";

/** What somebody who is signed in does with their own account. */
export function ownAccountRoutes(accounts: Accounts, replies: Replies, cookie: RefreshCookie): Route[] {
  const reading = {
    tag: "Accounts",
    cache: "no-store",
    authorize: (principal: Principal) => authorizeOwn(principal),
  } as const;
  const writing = { ...reading, writes: true } as const;
  const me = { 200: { description: "You", schema: ME } };
  return [
    {
      ...reading,
      method: "GET",
      path: "/v1/auth/me",
      summary: "Who you are",
      replies: me,
      errors: [],
      async answer({ scope, reply }: Call<OwnScope>) {
        replies.json(reply, 200, JSON.stringify(await accounts.me(scope)));
      },
    },
    {
      ...writing,
      method: "PATCH",
      path: "/v1/auth/me",
      summary: "Change name, locale or preferences; null takes one off",
      body: object(PROFILE),
      replies: me,
      errors: ["contention"],
      async answer({ scope, body, reply }: Call<OwnScope>) {
        replies.json(reply, 200, JSON.stringify(await accounts.changeMe(scope, body as object)));
      },
    },
    {
      ...writing,
      method: "DELETE",
      path: "/v1/auth/me",
      summary: "Remove your account and everything that proves or shows you",
      body: object({ confirm: { type: "string", enum: ["delete"] } }, ["confirm"]),
      replies: { 204: { description: "Removed" } },
      errors: ["contention", "failed_precondition"],
      async answer(call: Call<OwnScope>) {
        await accounts.deleteMe(call.scope, visitOf(call));
        cookie.clear(call);
      },
    },
    {
      ...writing,
      method: "POST",
      path: "/v1/auth/email/change",
      summary: "Mail a code and a link to the address that you want to have",
      body: object({ email: EMAIL }, ["email"]),
      replies: { 202: { description: "Mailed", schema: object({ next: NEXT }) } },
      errors: ["rate_limited"],
      async answer(call: Call<OwnScope>) {
        const next = await accounts.changeEmail(call.scope, call.body as { email: string }, visitOf(call));
        replies.json(call.reply, 202, JSON.stringify({ next }));
      },
    },
    {
      ...writing,
      method: "POST",
      path: "/v1/auth/password/change",
      summary: "Change your password; all other sessions end",
      body: object({ current: PASSWORD, password: PASSWORD, cookie: { type: "boolean" } }, ["current", "password"]),
      replies: { 200: { description: "Signed in anew", schema: object({ session: SESSION }) } },
      errors: ["contention", "rate_limited"],
      async answer(call: Call<OwnScope>) {
        const { useCookie, body } = cookie.wanted<{ current: string; password: string; cookie?: boolean }>(call);
        cookie.send(call, 200, await accounts.changePassword(call.scope, body, visitOf(call)), useCookie);
      },
    },
    {
      ...reading,
      method: "GET",
      path: SESSIONS,
      summary: "Your devices, also those that were signed out in the last 30 days",
      replies: {
        200: { description: "Newest first", schema: object({ sessions: { type: "array", items: DEVICE } }) },
      },
      errors: [],
      async answer({ scope, reply }: Call<OwnScope>) {
        replies.json(reply, 200, JSON.stringify(await accounts.sessions(scope)));
      },
    },
    {
      ...writing,
      method: "DELETE",
      path: `${SESSIONS}/{id}`,
      summary: "Sign a device out",
      replies: { 204: { description: "Out" } },
      errors: ["not_found", "contention"],
      async answer(call: Call<OwnScope>) {
        await accounts.endSession(call.scope, call.params.id, visitOf(call));
        replies.empty(call.reply, 204);
      },
    },
    {
      ...writing,
      method: "DELETE",
      path: SESSIONS,
      summary: "Sign all other devices out",
      replies: { 204: { description: "Out" } },
      errors: ["contention"],
      async answer(call: Call<OwnScope>) {
        await accounts.endOtherSessions(call.scope, visitOf(call));
        replies.empty(call.reply, 204);
      },
    },
  ];
}
