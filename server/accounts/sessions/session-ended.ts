import { GalleyError } from "#protocol/errors";

/**
 * Ended, gone, forged, of an older database, of somebody who may not come in any more: whoever asks is told one thing, and
 * the SDK takes it for signed out (accounts.md 6.1).
 */
export function sessionEnded(): GalleyError {
  return new GalleyError("unauthenticated", "the session has ended: sign in again", {
    reason: "session_ended",
    outcome: "not_applied",
  });
}
