import type { Log } from "../../log.ts";
import type { ListWindow } from "./list-window.ts";
import type { Joins } from "./window-join.ts";

export interface AuditOptions {
  readonly joins: Joins;
  readonly log: Log;
  readonly live: () => Iterable<ListWindow>;
  readonly random: (bytes: number) => Uint8Array;
  /** Milliseconds between two. */
  readonly interval: number;
}

/** Compares windows with what the store says, so that a mistake of ours is seen and mended; live-queries.md 6.7. */
export interface Audit {
  /** One at random, or all that are live. Resolves to how many differed. */
  run(all?: boolean): Promise<number>;
  readonly counts: { readonly same: number; readonly different: number; readonly given_up: number };
  close(): void;
}

/** Audits are one asker among the others. */
const NOBODY: readonly string[] = [""];

export function createAudit({ joins, log, live, random, interval }: AuditOptions): Audit {
  const counts = { same: 0, different: 0, given_up: 0 };
  const timer = setInterval(() => void run(), interval).unref();

  async function run(all = false): Promise<number> {
    const windows = [...live()];
    const audited = all ? windows : windows.slice(pick(windows.length)).slice(0, 1);
    const verdicts = await Promise.all(audited.map(compared));
    return verdicts.filter((same) => same === false).length;
  }

  function pick(count: number): number {
    const [a = 0, b = 0, c = 0, d = 0] = random(4);
    return (a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d) % Math.max(1, count);
  }

  /** Undefined: nobody knows, for it could not be read, or was read anew meanwhile. */
  function compared(window: ListWindow): Promise<boolean | undefined> {
    const { question, resets } = window;
    return new Promise((resolve) => {
      const givenUp = () => {
        counts.given_up++;
        resolve(undefined);
      };
      joins.start(
        { question, capacity: window.list.capacity, reason: "audit", askers: NOBODY },
        {
          done(joined) {
            if (!window.isLive || window.resets !== resets) return givenUp();
            const same = window.agrees(joined);
            counts[same ? "same" : "different"]++;
            if (!same) {
              log.error(
                { collection: question.collection },
                "a live query did not show what is stored: it is read anew",
              );
              window.reset("audit");
            }
            resolve(same);
          },
          failed: givenUp,
        },
      );
    });
  }

  return { run, counts, close: () => clearInterval(timer) };
}
