import { GalleyError } from "#protocol/errors";
import type { Position } from "../../stores/document-store.ts";
import type { LiveNode } from "./live-node.ts";

const POSITION = /^[^.]+\.[0-9a-f]{16}$/;

/**
 * Waits for a position that a client has seen, so that time does not go back for it. Undefined where there is nothing to
 * wait for.
 *
 * @throws GalleyError `invalid_argument`; rejects `unavailable` if it is not reached in time
 */
export function reached(
  after: string | undefined,
  { tail, limits }: Pick<LiveNode, "tail" | "limits">,
): Promise<void> | undefined {
  if (after === undefined) return undefined;
  if (!POSITION.test(after)) throw new GalleyError("invalid_argument", "after: expects a position of this server");
  return tail.reached(after as Position, limits.aheadMs).then((isReached) => {
    if (!isReached) throw new GalleyError("unavailable", "this server has not reached that position yet: try again");
  });
}
