import { type AccessClaims, type AccessTokens, isOver, tokenInvalid } from "./access-token.ts";
import { Bearer } from "./bearer.ts";
import { Sieve } from "./sieve.ts";

/** Access tokens, and those of them that were made here or verified of late. */
export interface KnownTokens {
  issue(whose: Pick<AccessClaims, "pool" | "user" | "session">, lifeSeconds: number): Promise<string>;
  /**
   * Tells whom a token was issued to. At once, if it is known.
   *
   * @param now epoch milliseconds
   * @throws GalleyError `unauthenticated` with reason `token_invalid`, the same whatever is wrong
   */
  verify(token: string, now: number): Bearer | Promise<Bearer>;
}

/** Tokens that are remembered. */
const MOST = 20_000;

export function createKnownTokens(tokens: AccessTokens): KnownTokens {
  /**
   * Found by a few characters, and known by the whole text, which nothing but its claims can have made: to go by parts of it
   * would be to take one token for another some day. What was refused is not remembered.
   */
  const known = new Sieve<number, Bearer>(MOST);

  function remember(token: string, claims: AccessClaims): Bearer {
    const at = placeOf(token);
    const before = known.get(at);
    if (before?.token === token) return before;
    const bearer = new Bearer(claims, token);
    known.set(at, bearer);
    return bearer;
  }

  return {
    async issue(whose, lifeSeconds) {
      const { token, claims } = await tokens.issue(whose, lifeSeconds);
      // Whoever made it need not be shown that it is good.
      remember(token, claims);
      return token;
    },

    verify(token, now) {
      const bearer = known.get(placeOf(token));
      if (bearer?.token !== token) return tokens.verify(token).then((claims) => remember(token, claims));
      if (isOver(bearer, now)) throw tokenInvalid();
      return bearer;
    },
  };
}

/** Characters of a signature, and those of them that are looked at: 30 bits, which no two of some thousands share. */
const SIGNATURE = 43;
const LOOKED_AT = 5;

/** Where a token is remembered. To make a number of all its characters would take as long as all the rest. */
function placeOf(token: string): number {
  let place = 0;
  const from = token.length - SIGNATURE;
  for (let i = 0; i < LOOKED_AT; i++) place = (place << 6) | (token.charCodeAt(from + i) & 63);
  return place;
}
