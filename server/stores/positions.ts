import { GalleyError } from "#protocol/errors";
import type { Position } from "./document-store.ts";

/** Whether a text has the form of a position. */
export function isPosition(text: string): boolean {
  return /^[^.]+\.[0-9a-f]{16}$/.test(text);
}

/** Positions of one history can be compared. */
export function historyOf(position: Position): string {
  return position.slice(0, position.lastIndexOf("."));
}

/** Milliseconds that somebody waits for a position at most. */
const PATIENCE = 15_000;

/** Those who wait until the order of commits has come to a position. */
export class PositionWaits {
  /** Each ends with an error, or without: then its position was reached. */
  readonly #waiting = new Set<{ readonly position: Position; end(error?: GalleyError): void }>();

  /** @throws GalleyError `unavailable`, `unknown`, if it takes too long */
  add(position: Position, milliseconds = PATIENCE): Promise<void> {
    return new Promise((resolve, reject) => {
      const wait = {
        position,
        end: (error?: GalleyError) => {
          clearTimeout(timer);
          this.#waiting.delete(wait);
          if (error) reject(error);
          else resolve();
        },
      };
      const timer = setTimeout(() => wait.end(notInTime()), Math.min(milliseconds, PATIENCE));
      this.#waiting.add(wait);
    });
  }

  /** Ends the waits for positions up to this one. */
  settle(reached: Position): void {
    for (const { position, end } of this.#waiting) if (position <= reached) end();
  }

  /** Ends all of them. */
  end(error: GalleyError): void {
    for (const { end } of this.#waiting) end(error);
  }
}

function notInTime(): GalleyError {
  const message = "it is stored, but this server cannot follow the database at the moment";
  return new GalleyError("unavailable", message, { outcome: "unknown" });
}
