import { webcrypto } from "node:crypto";
import { GalleyError } from "#protocol/errors";
import type { DerivedKey, DerivedKeys } from "../secrets/derived-keys.ts";
import type { Pool } from "../users.ts";

/** Who someone is, by an access token. It says nothing of what they may do; accounts.md 2.3. Times are epoch milliseconds. */
export interface AccessClaims {
  readonly pool: Pool;
  readonly user: string;
  readonly session: string;
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/** Access tokens: JWTs (RFC 9068) under a key that is derived from the server's secret; accounts.md 2.2. */
export interface AccessTokens {
  issue(
    whose: Pick<AccessClaims, "pool" | "user" | "session">,
    lifeSeconds: number,
  ): Promise<{ readonly token: string; readonly claims: AccessClaims }>;
  /**
   * Tells whom a token was issued to.
   * @throws GalleyError `unauthenticated` with reason `token_invalid`, the same whatever is wrong
   */
  verify(token: string): Promise<AccessClaims>;
}

export interface AccessTokensOptions {
  readonly keys: DerivedKeys;
  /** The server's public URL, as tokens name it. */
  readonly issuer: () => string;
  /** That of the database: a token of another is good for nothing here. */
  readonly epoch: string;
  readonly clock: () => number;
}

const ALGORITHM = "HS256";
const TYPE = "at+jwt";
const AUDIENCES: Readonly<Record<Pool, string>> = { user: "galley", admin: "galley-admin" };
/** Characters, all of one byte. */
const MAX_LENGTH = 2048;
/** Seconds by which clocks may differ. */
const LEEWAY = 30;
/** Header, claims and a signature of 32 bytes, each in the one way of writing it in base64url. */
const FORM = /^([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;

export function createAccessTokens({ keys, issuer, epoch, clock }: AccessTokensOptions): AccessTokens {
  let signing: ReturnType<typeof loadSigning> | undefined;
  // Not at the start, which has no use for it.
  const load = () => {
    signing ??= loadSigning(keys.of("access"));
    return signing;
  };

  return {
    async issue({ pool, user, session }, lifeSeconds) {
      const { SignJWT, newest } = await load();
      const now = Math.floor(clock() / 1000);
      const token = await new SignJWT({ sid: session, ep: epoch })
        .setProtectedHeader(newest.header)
        .setIssuer(issuer())
        .setAudience(AUDIENCES[pool])
        .setSubject(user)
        .setIssuedAt(now)
        .setExpirationTime(now + lifeSeconds)
        .sign(newest.key);
      const claims = { pool, user, session, issuedAt: now * 1000, expiresAt: (now + lifeSeconds) * 1000 };
      return { token, claims };
    },

    async verify(token) {
      const header = token.length <= MAX_LENGTH ? FORM.exec(token)?.[1] : undefined;
      if (header === undefined) throw tokenInvalid();
      const { jwtVerify, JOSEError, keyByHeader } = await load();
      const key = keyByHeader.get(header);
      if (!key) throw tokenInvalid();
      const now = clock();
      try {
        const { payload } = await jwtVerify(token, key, {
          algorithms: [ALGORITHM],
          typ: TYPE,
          issuer: issuer(),
          audience: Object.values(AUDIENCES),
          clockTolerance: LEEWAY,
          currentDate: new Date(now),
        });
        const claims = payload.ep === epoch ? claimsOf(payload) : undefined;
        if (!claims || claims.issuedAt > now + LEEWAY * 1000) throw tokenInvalid();
        return claims;
      } catch (error) {
        throw error instanceof JOSEError ? tokenInvalid() : error;
      }
    },
  };
}

/** Whether a token's time is over, by whatever clock. @param now epoch milliseconds */
export function isOver({ expiresAt }: Pick<AccessClaims, "expiresAt">, now: number): boolean {
  return now >= expiresAt + LEEWAY * 1000;
}

/** jose takes a list for the audience, and any JSON for other claims. Ours are what `issue` writes. */
function claimsOf(payload: Readonly<Record<string, unknown>>): AccessClaims | undefined {
  const { aud, sub: user, sid: session, iat, exp } = payload;
  const pool = (["user", "admin"] as const).find((one) => AUDIENCES[one] === aud);
  if (pool === undefined || typeof user !== "string" || typeof session !== "string") return undefined;
  if (!Number.isSafeInteger(iat) || !Number.isSafeInteger(exp)) return undefined;
  return { pool, user, session, issuedAt: Number(iat) * 1000, expiresAt: Number(exp) * 1000 };
}

/** The library and the keys in the form that it works with. */
async function loadSigning(keys: readonly [DerivedKey, ...DerivedKey[]]) {
  const [{ SignJWT }, { jwtVerify }, { JOSEError }] = await Promise.all([
    import("jose/jwt/sign"),
    import("jose/jwt/verify"),
    import("jose/errors"),
  ]);
  const [first, ...older] = keys;
  const newest = await importKey(first);
  const all = [newest, ...(await Promise.all(older.map(importKey)))];
  /**
   * A header is good only if it is one that we write, to the letter. So none with `none`, `crit`, `jku`, `x5u`, `jwk` or
   * any other member beside `alg`, `typ` and `kid` is ever read.
   */
  const keyByHeader = new Map(all.map(({ header, key }) => [encodedHeader(header), key]));
  return { SignJWT, jwtVerify, JOSEError, newest, keyByHeader };
}

async function importKey({ kid, bytes }: DerivedKey) {
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const key = await webcrypto.subtle.importKey("raw", bytes, hmac, false, ["sign", "verify"]);
  return { header: { alg: ALGORITHM, typ: TYPE, kid }, key };
}

function encodedHeader(header: object): string {
  return Buffer.from(JSON.stringify(header)).toString("base64url");
}

export function tokenInvalid(): GalleyError {
  return new GalleyError("unauthenticated", "the access token is not valid: it may have expired, so refresh it once", {
    reason: "token_invalid",
    outcome: "not_applied",
  });
}
