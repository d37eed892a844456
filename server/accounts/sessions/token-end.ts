/** Seconds by which clocks may differ, as access tokens are taken. */
const LEEWAY = 30;

/**
 * Until when an access token is good, for what outlasts a request; epoch milliseconds.
 *
 * @param token one that was verified: what it says is ours
 */
export function endOfToken(token: string): { readonly expiresAt: number; readonly endsAt: number } {
  const [, payload = ""] = token.split(".");
  const { exp } = JSON.parse(Buffer.from(payload, "base64url").toString()) as { readonly exp: number };
  return { expiresAt: exp * 1000, endsAt: (exp + LEEWAY) * 1000 };
}
