import { hostname } from "node:os";
import type { Db, Document, Timestamp } from "mongodb";
import { GalleyError } from "#protocol/errors";
import { WRITE_CONCERN } from "./send.ts";

/** Where each node reports, one document a node. */
export const NODES = "_nodes";

const INTERVAL = 1000;
const RETRY = 250;
/** A report that takes longer is given up and sent anew. */
const REPORT_LIMIT = 2000;

export interface ReporterOptions {
  readonly db: Db;
  readonly self: string;
  /** What the report says, made when it is sent. */
  readonly content: () => Document;
  /** Called before each report of the interval. */
  readonly tick: () => void;
}

/** Writes this node's report every second, and at once when asked. A failure is only tried again: the lease sees it. */
export interface Reporter {
  /** Reports at once, or right after the report that is on its way. The first call starts it all. */
  report(): void;
  /**
   * Reports as `report` does; resolves with the time at which the report was stored, which is after the call.
   * @throws what the write does; GalleyError `unavailable` if it is closed first
   */
  stored(): Promise<Timestamp>;
  /** Ends reporting, after the report that is on its way. */
  close(): Promise<void>;
}

export function createReporter({ db, self, content, tick }: ReporterOptions): Reporter {
  let reporting: Promise<void> | undefined;
  let again = false;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  /** Who waits for a report that is not sent yet. */
  let asking: { resolve(time: Timestamp): void; reject(error: unknown): void }[] = [];

  function report(): void {
    if (closed) return;
    if (reporting) {
      again = true;
      return;
    }
    clearTimeout(timer);
    reporting = send().then(
      () => next(INTERVAL),
      () => next(RETRY),
    );
  }

  function next(delay: number): void {
    reporting = undefined;
    if (closed) return;
    if (again) {
      again = false;
      report();
      return;
    }
    const due = () => {
      tick();
      report();
    };
    timer = setTimeout(due, delay).unref();
  }

  async function send(): Promise<void> {
    // Who runs the node is for people who look; it decides nothing.
    const document = { ...content(), host: hostname(), pid: process.pid, at: new Date() };
    const command = {
      update: NODES,
      updates: [{ q: { _id: self }, u: document, upsert: true }],
      writeConcern: { ...WRITE_CONCERN, wtimeout: REPORT_LIMIT },
    };
    const asked = asking;
    asking = [];
    try {
      const { operationTime } = await db.command(command, { signal: AbortSignal.timeout(REPORT_LIMIT) });
      for (const { resolve } of asked) resolve(operationTime);
    } catch (error) {
      for (const { reject } of asked) reject(error);
      throw error;
    }
  }

  return {
    report,
    stored() {
      if (closed) return Promise.reject(storeClosed());
      return new Promise((resolve, reject) => {
        asking.push({ resolve, reject });
        report();
      });
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      await reporting;
      for (const { reject } of asking) reject(storeClosed());
    },
  };
}

function storeClosed(): GalleyError {
  return new GalleyError("unavailable", "the store is closed");
}
