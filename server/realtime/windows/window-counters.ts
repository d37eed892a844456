import type { Reset } from "#protocol/frames";
import { ListWindow } from "./list-window.ts";
import type { LoadSlots } from "./load-slots.ts";
import type { SharedWindow } from "./shared-window.ts";
import type { Texts } from "./texts.ts";
import type { Values } from "./values.ts";
import type { Audit } from "./window-audit.ts";
import type { Joins } from "./window-join.ts";

/** What there is and what has happened so far, as plain numbers for metrics; live-queries.md 16. */
export interface WindowNumbers {
  readonly windows: number;
  readonly shortWindows: number;
  readonly residualWindows: number;
  readonly rows: number;
  readonly textBytes: number;
  readonly loadQueue: number;
  readonly staleValues: number;
  readonly candidates: number;
  readonly matches: number;
  readonly serialisations: number;
  readonly loads: Readonly<Record<"load" | "refill" | "audit" | "again" | "value", number>>;
  readonly loadSeconds: number;
  readonly resets: Readonly<Record<Reset, number>>;
  readonly audits: Audit["counts"];
}

export interface WindowCounters {
  /** Documents that were tried on a window, and that it accepted. */
  candidates: number;
  matches: number;
  /** Changes that were put into words. */
  serialisations: number;
  readonly resets: Record<Reset, number>;
  /** Looks at every window. */
  numbers(): WindowNumbers;
}

export interface CountedParts {
  readonly texts: Texts;
  readonly joins: Joins;
  readonly slots: LoadSlots;
  readonly values: Values;
  readonly matching: { readonly residual: number };
  readonly audit: Pick<Audit, "counts">;
  readonly windows: () => Iterable<SharedWindow>;
}

export function createCounters(parts: CountedParts): WindowCounters {
  const { texts, joins, slots, values, matching, audit, windows } = parts;

  const counters: WindowCounters = {
    candidates: 0,
    matches: 0,
    serialisations: 0,
    resets: { resume: 0, rights: 0, history: 0, dropped: 0, audit: 0 },
    numbers() {
      const all = [...windows()];
      const lists = all.filter((window) => window instanceof ListWindow);
      return {
        windows: all.length,
        shortWindows: lists.filter(({ isShort }) => isShort).length,
        residualWindows: matching.residual,
        rows: lists.reduce((sum, { list }) => sum + list.size, 0),
        textBytes: texts.size,
        loadQueue: slots.waiting,
        staleValues: values.waiting,
        candidates: counters.candidates,
        matches: counters.matches,
        serialisations: counters.serialisations,
        loads: { ...joins.counts, value: values.computed },
        loadSeconds: joins.seconds,
        resets: { ...counters.resets },
        audits: { ...audit.counts },
      };
    },
  };
  return counters;
}
