import type { AccountParts } from "../parts.ts";
import { removeIdleGuests } from "./guests.ts";
import { endRemovals } from "./removal.ts";

const INTERVAL = 10 * 60 * 1000;

/**
 * What accounts do by themselves, every ten minutes: guests who were idle for 30 days go, and removals that were cut off
 * come to their end. `close` waits for what is under way.
 */
export function startUpkeep(parts: AccountParts): { close(): Promise<void> } {
  let closed = false;
  let working: Promise<unknown> = Promise.resolve();
  const isOver = () => closed;
  const timer = setInterval(() => {
    working = removeIdleGuests(parts, isOver)
      .then(() => endRemovals(parts, isOver))
      .catch((error: unknown) => {
        parts.log.warn({ err: error }, "people who are to be removed could not be; trying again later");
      });
  }, INTERVAL);
  timer.unref();
  return {
    async close() {
      closed = true;
      clearInterval(timer);
      await working;
    },
  };
}
