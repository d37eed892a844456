import { type Repeating, startRepeating } from "../../repeating.ts";
import type { AccountParts } from "../parts.ts";
import { removeIdleGuests } from "./guests.ts";
import { endRemovals } from "./removal.ts";

/** What accounts do by themselves: guests who were idle for 30 days go, and removals that were cut off come to their end. */
export function startUpkeep(parts: AccountParts): Repeating {
  const work = async (isOver: () => boolean): Promise<void> => {
    await removeIdleGuests(parts, isOver);
    await endRemovals(parts, isOver);
  };
  return startRepeating(work, (err) => {
    parts.log.warn({ err }, "people who are to be removed could not be; trying again later");
  });
}
