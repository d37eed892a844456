import type { FastifyRequest } from "fastify";
import { GalleyError } from "#protocol/errors";
import type { SessionAnswer } from "../accounts/contract.ts";
import { sessionEnded } from "../accounts/sessions/session-ended.ts";
import type { Replies } from "./reply.ts";
import type { Call } from "./route.ts";

/** The console's session on plain http, which browsers allow on this machine only, and on https. */
const NAMES = { plain: "galley-admin", secure: "__Host-galley-admin" };
const LOOPBACK = /^http:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;

interface Tokens {
  readonly accessToken: string;
  readonly expiresIn: number;
  readonly refreshToken: string;
}

/**
 * The refresh token of the console, which lives in a cookie that no script can read: accounts.md 9. No data route reads it;
 * the two that do demand what only a page of this very origin can send.
 */
export interface RefreshCookie {
  /** What a body asks for, and the body without that. @throws GalleyError `invalid_argument` for others than admins */
  wanted<B extends { readonly cookie?: boolean }>(
    call: Call<unknown>,
  ): { readonly useCookie: boolean; readonly body: Omit<B, "cookie"> };
  send(call: Call<unknown>, status: number, session: SessionAnswer, useCookie: boolean): void;
  /** The token of the body, or of the cookie. @throws GalleyError `unauthenticated`; `permission_denied` (`origin_refused`) */
  refreshToken(call: Call<unknown>): { readonly token: string; readonly fromCookie: boolean };
  /** The same, where none is needed. */
  optionalToken(call: Call<unknown>): { readonly token: string | undefined };
  sendTokens(call: Call<unknown>, tokens: Tokens, fromCookie: boolean): void;
  /** Answers 204 and takes the cookie away, if there is one. */
  clear(call: Call<unknown>): void;
}

export interface RefreshCookieOptions {
  readonly replies: Replies;
  /** Whether clients reach this server by https. */
  readonly secure: boolean;
  /** Whether an origin is the console's own. */
  readonly isOwnOrigin: (origin: string) => boolean;
}

export function createRefreshCookie({ replies, secure, isOwnOrigin }: RefreshCookieOptions): RefreshCookie {
  const name = secure ? NAMES.secure : NAMES.plain;
  const flags = `Path=/; HttpOnly; SameSite=Strict${secure ? "; Secure" : ""}`;
  const header = (value: string, more = "") => ["set-cookie", `${name}=${value}; ${flags}${more}`];
  const expired = () => header("", "; Max-Age=0");

  return {
    wanted<BodyOf>(call: Call<unknown>) {
      const { cookie = false, ...body } = call.body as { cookie?: boolean; as?: string };
      if (cookie && !isAdmins(call, body.as)) {
        const message = "cookie: expects false: the cookie is the console's, so of admins only";
        throw new GalleyError("invalid_argument", message, {
          faults: [{ path: "cookie", code: "bad_value", message }],
        });
      }
      return { useCookie: cookie, body: body as unknown as BodyOf };
    },
    send({ reply }, status, session, useCookie) {
      const { refreshToken, ...rest } = session;
      if (useCookie) replies.json(reply, status, JSON.stringify({ session: rest }), header(refreshToken));
      else replies.json(reply, status, JSON.stringify({ session }));
    },
    refreshToken(call) {
      const given = (call.body as { refreshToken?: string } | undefined)?.refreshToken;
      if (given !== undefined) return { token: given, fromCookie: false };
      const held = cookieOf(call.request, name);
      if (held === undefined) throw sessionEnded();
      demandOwnPage(call.request, isOwnOrigin);
      return { token: held, fromCookie: true };
    },
    optionalToken(call) {
      const given = (call.body as { refreshToken?: string } | undefined)?.refreshToken;
      const held = given === undefined ? cookieOf(call.request, name) : undefined;
      if (held !== undefined) demandOwnPage(call.request, isOwnOrigin);
      return { token: given ?? held };
    },
    sendTokens({ reply }, { refreshToken, ...rest }, fromCookie) {
      if (fromCookie) replies.json(reply, 200, JSON.stringify(rest), header(refreshToken));
      else replies.json(reply, 200, JSON.stringify({ ...rest, refreshToken }));
    },
    clear({ request, reply }) {
      replies.empty(reply, 204, cookieOf(request, name) === undefined ? [] : expired());
    },
  };
}

function isAdmins({ scope }: Call<unknown>, pool: string | undefined): boolean {
  return pool === "admin" || (scope as { principal?: { kind: string } }).principal?.kind === "admin";
}

function cookieOf({ headers }: FastifyRequest, name: string): string | undefined {
  for (const part of (headers.cookie ?? "").split(";")) {
    const at = part.indexOf("=");
    if (part.slice(0, at).trim() === name) return part.slice(at + 1).trim();
  }
  return undefined;
}

/** @throws GalleyError `permission_denied` unless a page of this origin sent this, on purpose */
function demandOwnPage({ headers }: FastifyRequest, isOwnOrigin: (origin: string) => boolean): void {
  const { origin } = headers;
  const site = headers["sec-fetch-site"];
  const own =
    origin !== undefined &&
    isOwnOrigin(origin) &&
    headers["x-galley-csrf"] === "1" &&
    headers["content-type"] !== undefined &&
    (site === undefined || site === "same-origin");
  if (own) return;
  throw new GalleyError("permission_denied", "the cookie works for the console's own pages only", {
    reason: "origin_refused",
    outcome: "not_applied",
  });
}

/** Tells whether an origin is this server's; in development mode the names of this machine are one. */
export function ownOrigins(publicUrl: () => string, development: boolean): (origin: string) => boolean {
  return (origin) => {
    const own = new URL(publicUrl()).origin;
    if (origin === own) return true;
    const [theirs, ours] = [LOOPBACK.exec(origin), LOOPBACK.exec(own)];
    return development && theirs !== null && ours !== null && theirs[1] === ours[1];
  };
}
