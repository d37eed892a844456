import { GalleyError } from "#protocol/errors";
import type { Position } from "../document-store.ts";

/** Work that was judged by what was known when it began; barriers wait for its end. */
export interface Work {
  /**
   * Call it last before anything is sent.
   * @throws GalleyError `unavailable`, `not_applied`, if touch was lost since it began: others may not have waited for it
   */
  demandFresh(): void;
  end(): void;
}

export class WorkUnderWay {
  /** Oldest first, with the position that the tail had when it began. */
  readonly #works = new Set<{ readonly position: Position; fresh: boolean }>();
  readonly #onEnd: () => void;

  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  begin(position: Position): Work {
    const work = { position, fresh: true };
    this.#works.add(work);
    return {
      demandFresh: () => {
        if (!work.fresh) throw outOfTouch();
      },
      end: () => {
        if (this.#works.delete(work)) this.#onEnd();
      },
    };
  }

  /** Nothing was judged by what was known before this; undefined: nothing is under way. */
  get oldest(): Position | undefined {
    const [oldest] = this.#works;
    return oldest?.position;
  }

  /** What is under way must not be sent any more. */
  spoil(): void {
    for (const work of this.#works) work.fresh = false;
  }
}

export function outOfTouch(): GalleyError {
  return new GalleyError("unavailable", "this server has lost touch with the database: try again", {
    outcome: "not_applied",
  });
}
