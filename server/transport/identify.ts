import type { IncomingHttpHeaders } from "node:http";
import { GalleyError } from "#protocol/errors";
import type { Principal } from "../access/principal.ts";

/** Tells who a token is. */
export interface Verifier {
  /** @throws GalleyError `unauthenticated` */
  verify(token: string, address: string, origin?: string): Principal | Promise<Principal>;
}

export interface Verifiers {
  /** Of service keys, `gsk_…`. */
  readonly keys: Verifier;
  /** Of access tokens, which is anything else. */
  readonly tokens: Verifier;
}

const BEARER = /^Bearer +([\x21-\x7e]+)$/i;
/** How nearly everybody writes that, which takes a third of the time to see. */
const USUAL = "Bearer ";
const VISIBLE = /^[\x21-\x7e]+$/;
/** Anything in a query that could be a key, also with its characters percent-encoded; then, what could be an access token. */
const KEY_IN_QUERY = /[?&=](?:g|%67)(?:s|%73)(?:k|%6b)(?:_|%5f)[A-Za-z0-9_%]{16,}/i;
const TOKEN_IN_QUERY = /[?&=]ey[\w-]{8,}\.ey[\w-]{8,}\.[\w-]{16,}/;

/**
 * Who calls: accounts.md 2. Nothing given is anonymous; whatever is given and does not hold is 401, never anonymous.
 * @returns a promise only where a key must be looked up
 * @throws GalleyError `unauthenticated`; `permission_denied` for a key where a browser or a URL shows it
 */
export function identify(
  headers: IncomingHttpHeaders,
  url: string,
  address: string,
  { keys, tokens }: Verifiers,
): Principal | Promise<Principal> {
  if (url.includes("?")) {
    // What each of them must hold is found in a fraction of the time.
    if ((url.includes("_") || url.includes("%5")) && KEY_IN_QUERY.test(url)) throw keyInBrowser("in a URL");
    if (url.includes(".ey") && TOKEN_IN_QUERY.test(url))
      throw unauthenticated("a token came in a URL: send it in `Authorization`");
  }
  const { authorization, origin } = headers;
  if (authorization === undefined) return anonymous(address, origin);
  const token = tokenOf(authorization);
  if (token === undefined) throw unauthenticated("expects `Authorization: Bearer <access token or service key>`");
  if (!isKey(token)) return tokens.verify(token, address, origin);
  demandNoPage(origin);
  return keys.verify(token, address);
}

function tokenOf(authorization: string): string | undefined {
  const token = authorization.startsWith(USUAL) ? authorization.slice(USUAL.length) : "";
  return VISIBLE.test(token) ? token : BEARER.exec(authorization)?.[1];
}

/** Whether a credential is a service key; all others are access tokens. */
export function isKey(token: string): boolean {
  return token.startsWith("gsk_");
}

/** @throws GalleyError `permission_denied` where a page of some origin shows a key */
export function demandNoPage(origin: string | undefined): void {
  if (origin !== undefined) throw keyInBrowser("from a web page");
}

export function anonymous(address: string, origin?: string): Principal {
  return { kind: "anonymous", address, ...(origin === undefined ? {} : { origin }) };
}

function unauthenticated(message: string): GalleyError {
  return new GalleyError("unauthenticated", message);
}

function keyInBrowser(where: string): GalleyError {
  return new GalleyError("permission_denied", `a service key came ${where}: keys are for servers only, replace it`, {
    reason: "key_in_browser",
  });
}
