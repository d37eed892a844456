import { GalleyError } from "#protocol/errors";
import { type AccountScope, authorizeEntry } from "../../access/authorize.ts";
import type { Principal } from "../../access/principal.ts";
import type { Accounts } from "../../accounts/contract.ts";
import type { RefreshCookie } from "../refresh-cookie.ts";
import type { Replies } from "../reply.ts";
import type { Call, Route } from "../route.ts";
import { object } from "../schema.ts";
import {
  DEVICE_NAME,
  EMAIL,
  NEXT,
  PASSWORD,
  POOL,
  PROFILE,
  PUBLIC_PROFILE,
  SECRET,
  SESSION,
  TOKENS,
} from "./auth-schemas.ts";
import { visitOf } from "./visit.ts";

type Body<M extends keyof Accounts> = Parameters<Accounts[M]>[1];

/** The ways in and out: accounts.md 6. */
export function authRoutes(accounts: Accounts, replies: Replies, cookie: RefreshCookie): Route[] {
  const entry = {
    tag: "Accounts",
    cache: "no-store",
    writes: true,
    authorize: (principal: Principal) => authorizeEntry(principal),
  } as const;
  const session = { 200: { description: "Signed in", schema: object({ session: SESSION, next: NEXT }) } };

  return [
    {
      ...entry,
      method: "POST",
      path: "/v1/auth/sign-up",
      summary: "Make an account, or take an invitation up",
      body: object(
        {
          ...{ email: EMAIL, password: PASSWORD, ...PROFILE, profile: PUBLIC_PROFILE, as: POOL, invite: SECRET },
          ...{ deviceName: DEVICE_NAME, cookie: { type: "boolean" } },
        },
        ["email", "password"],
      ),
      replies: {
        201: { description: "Signed in", schema: object({ session: SESSION }) },
        202: { description: "A code was mailed", schema: object({ next: NEXT }) },
      },
      errors: ["already_exists", "failed_precondition", "rate_limited"],
      async answer(call: Call<AccountScope>) {
        const { useCookie, body } = cookie.wanted<Body<"signUp"> & { cookie?: boolean }>(call);
        const step = await accounts.signUp(call.scope, body, visitOf(call));
        if ("next" in step) replies.json(call.reply, 202, JSON.stringify(step));
        else cookie.send(call, 201, step.session, useCookie);
      },
    },
    {
      ...entry,
      method: "POST",
      path: "/v1/auth/sign-in",
      summary: "Sign in with address and password; also to prove again who you are",
      body: object(
        {
          ...{ email: EMAIL, password: PASSWORD, as: POOL, deviceToken: SECRET, deviceName: DEVICE_NAME },
          cookie: { type: "boolean" },
        },
        ["email", "password"],
      ),
      replies: session,
      errors: ["rate_limited"],
      async answer(call: Call<AccountScope>) {
        const { useCookie, body } = cookie.wanted<Body<"signIn"> & { cookie?: boolean }>(call);
        cookie.send(call, 200, await accounts.signIn(call.scope, body, visitOf(call)), useCookie);
      },
    },
    {
      ...entry,
      method: "POST",
      path: "/v1/auth/anonymous",
      summary: "Go on as a guest, who may become somebody later and keeps the id",
      body: object({ profile: PUBLIC_PROFILE, deviceName: DEVICE_NAME }),
      bodyOptional: true,
      replies: { 201: { description: "Signed in", schema: object({ session: SESSION }) } },
      errors: ["failed_precondition", "rate_limited"],
      async answer(call: Call<AccountScope>) {
        const body = (call.body ?? {}) as Body<"signInAsGuest">;
        const made = await accounts.signInAsGuest(call.scope, body, visitOf(call));
        replies.json(call.reply, 201, JSON.stringify({ session: made }));
      },
    },
    {
      ...entry,
      method: "POST",
      path: "/v1/auth/refresh",
      summary: "A new access token, and the next refresh token",
      body: object({ refreshToken: SECRET }),
      bodyOptional: true,
      credential: "ignored",
      replies: { 200: { description: "Tokens", schema: TOKENS } },
      errors: ["unauthenticated", "permission_denied", "rate_limited"],
      async answer(call: Call<AccountScope>) {
        const { token, fromCookie } = cookie.refreshToken(call);
        cookie.sendTokens(call, await accounts.refresh(token, visitOf(call)), fromCookie);
      },
    },
    {
      ...entry,
      method: "POST",
      path: "/v1/auth/sign-out",
      summary: "End the session; nothing happens to one that has ended",
      body: object({ refreshToken: SECRET }),
      bodyOptional: true,
      credential: "lenient",
      replies: { 204: { description: "Signed out" } },
      errors: ["permission_denied"],
      async answer(call: Call<AccountScope>) {
        const { token } = cookie.optionalToken(call);
        await accounts.signOut(call.scope.principal, token, visitOf(call));
        cookie.clear(call);
      },
    },
    {
      ...entry,
      method: "POST",
      path: "/v1/auth/email/verify",
      summary: "Prove an address by the code or the link that was mailed to it",
      body: object({ challenge: SECRET, code: SECRET, token: SECRET, password: PASSWORD }),
      replies: { ...session, 204: { description: "Proven" } },
      errors: ["rate_limited"],
      async answer(call: Call<AccountScope>) {
        const made = await accounts.verifyEmail(call.scope, verifyBody(call.body), visitOf(call));
        if (made) replies.json(call.reply, 200, JSON.stringify({ session: made }));
        else replies.empty(call.reply, 204);
      },
    },
    {
      ...entry,
      method: "POST",
      path: "/v1/auth/email/resend",
      summary: "Mail a new code and link; the older ones end",
      body: object({ challenge: SECRET }),
      bodyOptional: true,
      replies: { 202: { description: "Mailed", schema: object({ next: NEXT }) } },
      errors: ["failed_precondition", "rate_limited"],
      async answer(call: Call<AccountScope>) {
        const next = await accounts.resendProof(call.scope, (call.body ?? {}) as { challenge?: string }, visitOf(call));
        replies.json(call.reply, 202, JSON.stringify({ next }));
      },
    },
    {
      ...entry,
      method: "POST",
      path: "/v1/auth/password/forgot",
      summary: "Mail a link that sets a new password, if somebody has the address",
      body: object({ email: EMAIL, as: POOL }, ["email"]),
      replies: { 202: { description: "Whether or not somebody has it", schema: object({}) } },
      errors: ["rate_limited"],
      async answer(call: Call<AccountScope>) {
        await accounts.forgotPassword(call.scope, call.body as Body<"forgotPassword">, visitOf(call));
        replies.json(call.reply, 202, "{}");
      },
    },
    {
      ...entry,
      method: "POST",
      path: "/v1/auth/password/reset",
      summary: "Set a new password by a mailed link; every session ends and nobody is signed in",
      body: object({ token: SECRET, password: PASSWORD }, ["token", "password"]),
      replies: { 204: { description: "Set" } },
      errors: ["rate_limited"],
      async answer(call: Call<AccountScope>) {
        await accounts.resetPassword(call.scope, call.body as Body<"resetPassword">, visitOf(call));
        replies.empty(call.reply, 204);
      },
    },
  ];
}

/** A code with its challenge, or a link, perhaps with the password. @throws GalleyError `invalid_argument` */
function verifyBody(body: unknown): Body<"verifyEmail"> {
  const { challenge, code, token, password } = body as Record<string, string | undefined>;
  if (challenge !== undefined && code !== undefined && token === undefined) return { challenge, code };
  if (token !== undefined && challenge === undefined && code === undefined) {
    return { token, ...(password !== undefined && { password }) };
  }
  const message = "body: expects challenge and code, or token, which may come with the password";
  throw new GalleyError("invalid_argument", message, { faults: [{ path: "body", code: "bad_operand", message }] });
}
