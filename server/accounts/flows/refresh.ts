import { GalleyError } from "#protocol/errors";
import type { AccountParts } from "../parts.ts";
import type { Visit } from "../sessions/device.ts";
import { parseRefreshToken } from "../sessions/refresh-token.ts";

export interface Refreshed {
  readonly accessToken: string;
  readonly expiresIn: number;
  readonly refreshToken: string;
}

/** A new pair of tokens for the newest refresh token; accounts.md 5.2. @throws GalleyError `session_ended`, `token_invalid` */
export async function refresh(parts: AccountParts, token: string, visit: Visit): Promise<Refreshed> {
  const { limits, adminNetworks, sessions, tokens } = parts;
  limits.demand("refresh", visit.address);
  try {
    const parsed = parseRefreshToken(token);
    if (parsed) limits.demandRefresh(parsed.session);
    if (adminNetworks.limited && (await sessions.holderOf(token))?.pool === "admin") {
      adminNetworks.demand(visit.address);
    }
    const { session, refreshToken } = await sessions.rotate(token, visit);
    limits.refreshed(session.id);
    const { accessSeconds } = parts.settings().sessions;
    const { pool, user, id } = session;
    return {
      accessToken: await tokens.issue({ pool, user, session: id }, accessSeconds),
      expiresIn: accessSeconds,
      refreshToken,
    };
  } catch (error) {
    if (error instanceof GalleyError && error.code === "unauthenticated") limits.failed("refresh", visit.address);
    throw error;
  }
}
