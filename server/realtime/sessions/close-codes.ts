import { GalleyError } from "#protocol/errors";
import { CLOSE } from "#protocol/frames";
import { NotFromHere } from "../../access/principal.ts";

/** How a socket is closed by an error; live-queries.md 7. The reason is what clients go by. */
export function closeFor(error: unknown): { readonly code: number; readonly reason: string } {
  if (!(error instanceof GalleyError)) return { code: CLOSE.internal, reason: "something went wrong on the server" };
  const reason = error.details.reason ?? error.code;
  switch (error.code) {
    case "unauthenticated":
      return { code: error.cause instanceof NotFromHere ? CLOSE.forbidden : CLOSE.unauthenticated, reason };
    case "permission_denied":
      return { code: CLOSE.forbidden, reason };
    case "rate_limited":
      return { code: CLOSE.tooMany, reason };
    case "unavailable":
    case "timeout":
    case "draining":
      return { code: CLOSE.overloaded, reason };
    default:
      return { code: CLOSE.internal, reason: "something went wrong on the server" };
  }
}
