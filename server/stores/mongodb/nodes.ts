import { hostname } from "node:os";
import type { Db, Document } from "mongodb";
import { GalleyError } from "#protocol/errors";
import type { DocumentStore, Position } from "../document-store.ts";
import { WRITE_CONCERN } from "./send.ts";
import type { InternalChange } from "./tail-commit.ts";

/** Where each node reports, one document a node. */
export const NODES = "_nodes";

export interface NodesOptions {
  readonly db: Db;
  /** The name of this node, for as long as it runs. */
  readonly self: string;
  /** Where the tail stands, and a wait for it. */
  readonly tail: Pick<DocumentStore, "passed"> & { readonly position: Position; reopen(): void };
  /** Milliseconds of a clock that never goes back. */
  readonly monotonic?: () => number;
  /** Told when this node stops serving, and when it serves again. */
  readonly onLease: (held: boolean) => void;
}

/**
 * The nodes that work on one database (access-rules.md 10). Each writes a report every second; every tail shows it to all.
 *
 * **The lease.** A node serves only while a report of its own, sent less than 4 s ago, has come back to it by its own
 * tail: so it has passed every commit before that report. If it is older, its clock (which never goes back) says so, and
 * it answers `unavailable`, whether its process stood still, its network is cut or its stream is.
 *
 * **The barrier.** Who has to know that a commit at P is passed everywhere waits until each node has reported so; but for
 * a node that does not, at most until it must have stopped serving: 5 s after the commit or its last report.
 */
export interface MongoNodes extends Pick<DocumentStore, "barrier" | "nodes"> {
  /** Reports for the first time; resolves when this node holds its lease and knows the others. Throws what a read does. */
  open(): Promise<void>;
  /** Whether this node may serve. */
  leased(): boolean;
  /** Notes that work begins which is judged by what is known now; the result is to be called when it is over. */
  begin(): () => void;
  /** A report came by the tail; undefined: the node has left. */
  heard(change: InternalChange): void;
  /** The tail has lost the order of commits: everything it has told of nodes may be out of date. */
  reload(): Promise<void>;
  close(): Promise<void>;
}

interface Report {
  /** The node's tail has told everything up to here. */
  readonly passed: string;
  /** And nothing is under way that was judged by what was known before this. */
  readonly settled: string;
  /** It waits until all have settled this; empty: for nothing. */
  readonly awaits: string;
}

interface Other extends Report {
  /** When its last report came, by our clock. */
  readonly heard: number;
}

const INTERVAL = 1000;
const RETRY = 250;
/** A report that takes longer is given up and sent anew. */
const REPORT_LIMIT = 2000;
const LEASE = 4000;
/** How long a node that says nothing is waited for; more than the lease. */
const SILENCE = 5000;
/** An own report that has not come back after this means that the stream has died without a word. */
const STALE = 3000;
/** How long a barrier waits in all, when a live node does not settle. */
const BARRIER_LIMIT = 15_000;
/** After this a report of a dead node is removed. */
const FORGET = 60_000;

export function createNodes({
  db,
  self,
  tail,
  monotonic = () => performance.now(),
  onLease,
}: NodesOptions): MongoNodes {
  const others = new Map<string, Other>();
  /** Work under way, oldest first, with the position that the tail had when it began. */
  const underWay = new Set<{ readonly position: Position }>();
  const barriers = new Set<{ readonly position: Position; check(now: number): void }>();
  /** Send times of reports that have not come back. */
  const sent = new Map<number, number>();
  let sequence = 0;
  let leasedFrom = Number.NEGATIVE_INFINITY;
  let told: boolean | undefined;
  /** The highest position that others wait for and that we have not reported as settled. */
  let wanted = "";
  /** What the last report said of us. */
  let lastSettled = "";
  let reporting: Promise<void> | undefined;
  let again = false;
  let timer: NodeJS.Timeout | undefined;
  let reopened = Number.NEGATIVE_INFINITY;
  let closed = false;
  let returned: () => void = () => {};

  function settledPosition(): Position {
    const [oldest] = underWay;
    return oldest?.position ?? tail.position;
  }

  function isLeased(now: number): boolean {
    return now - leasedFrom < LEASE;
  }

  function noteLease(now: number): void {
    const held = isLeased(now);
    // The first one is no news.
    if (told !== undefined && held !== told) onLease(held);
    if (held || told !== undefined) told = held;
  }

  /** Sends a report, or another one right after the one that is on its way. */
  function report(): Promise<void> {
    if (reporting) {
      again = true;
      return reporting;
    }
    clearTimeout(timer);
    reporting = send().then(
      () => reported(INTERVAL),
      (error: unknown) => {
        reported(RETRY);
        throw error;
      },
    );
    return reporting;
  }

  function reported(delay: number): void {
    reporting = undefined;
    if (closed) return;
    if (again) {
      again = false;
      void report().catch(() => {});
    } else {
      timer = setTimeout(tick, delay).unref();
    }
  }

  async function send(): Promise<void> {
    const now = monotonic();
    for (const [number, time] of sent) if (now - time >= LEASE) sent.delete(number);
    sequence += 1;
    sent.set(sequence, now);
    const settled = settledPosition();
    lastSettled = settled;
    if (settled >= wanted) wanted = "";
    const waits = [...barriers].map(({ position }) => position).sort();
    const document = {
      ...{ sequence, passed: tail.position, settled, awaits: waits.at(-1) ?? "" },
      // For people who look: none of it decides anything.
      ...{ host: hostname(), pid: process.pid, at: new Date() },
    };
    const command = {
      update: NODES,
      updates: [{ q: { _id: self }, u: document, upsert: true }],
      writeConcern: { ...WRITE_CONCERN, wtimeout: REPORT_LIMIT },
    };
    const { writeErrors = [] } = await db.command(command, { signal: AbortSignal.timeout(REPORT_LIMIT) });
    if (writeErrors.length > 0) throw new Error(String(writeErrors[0].errmsg));
  }

  function tick(): void {
    const now = monotonic();
    noteLease(now);
    if (now - leasedFrom > STALE && now - reopened > STALE) {
      reopened = now;
      tail.reopen();
    }
    for (const [node, { heard }] of others) if (now - heard > FORGET) void forget(node);
    // A failure is seen by the lease.
    void report().catch(() => {});
  }

  async function forget(node: string): Promise<void> {
    others.delete(node);
    await db
      .collection<{ _id: string }>(NODES)
      .deleteOne({ _id: node })
      .catch(() => {});
  }

  function checkBarriers(): void {
    const now = monotonic();
    for (const barrier of barriers) barrier.check(now);
  }

  /** Whether a node has settled a position, or must have stopped serving. */
  function isOver(other: Other, position: Position, since: number, now: number): boolean {
    if (sameHistory(other.settled, position) && other.settled >= position) return true;
    if (now - other.heard >= SILENCE) return true;
    const hasPassed = sameHistory(other.passed, position) && other.passed >= position;
    return !hasPassed && now - since >= SILENCE;
  }

  function everywhere(position: Position): Promise<void> {
    const since = monotonic();
    return new Promise((resolve, reject) => {
      const end = (error?: GalleyError) => {
        clearInterval(looking);
        barriers.delete(barrier);
        if (error) reject(error);
        else resolve();
      };
      const barrier = {
        position,
        check(now: number) {
          const here = settledPosition() >= position;
          if (here && [...others.values()].every((other) => isOver(other, position, since, now))) end();
          else if (closed || now - since >= BARRIER_LIMIT) end(notSettled());
        },
      };
      const looking = setInterval(() => barrier.check(monotonic()), RETRY);
      barriers.add(barrier);
      barrier.check(since);
      // The others report at once when they see that they are waited for.
      if (barriers.has(barrier) && others.size > 0) void report().catch(() => {});
    });
  }

  async function load(): Promise<void> {
    const found = await db.collection(NODES).find({}).toArray();
    const now = monotonic();
    for (const document of found) {
      const id = String(document._id);
      // What the tail brought meanwhile is newer.
      if (id !== self && !others.has(id)) others.set(id, { ...readReport(document), heard: now });
    }
  }

  return {
    nodes: {
      self,
      lives: (node) => node === self || monotonic() - (others.get(node)?.heard ?? Number.NEGATIVE_INFINITY) < SILENCE,
    },

    async open() {
      const back = new Promise<void>((resolve) => {
        returned = resolve;
      });
      // If it fails it is sent again, as ever.
      report().catch(() => {});
      await back;
      if (closed) throw new GalleyError("unavailable", "the store is closed");
      await load();
    },

    leased() {
      const now = monotonic();
      const held = isLeased(now);
      if (held !== told) noteLease(now);
      return held;
    },

    begin() {
      const work = { position: tail.position };
      underWay.add(work);
      return () => {
        underWay.delete(work);
        if (barriers.size > 0) checkBarriers();
        if (wanted !== "" && settledPosition() >= wanted) void report().catch(() => {});
      };
    },

    heard({ id, document }) {
      const now = monotonic();
      if (id === self) {
        const time = sent.get(Number(document?.sequence));
        if (time === undefined) return;
        for (const number of sent.keys()) if (number <= Number(document?.sequence)) sent.delete(number);
        leasedFrom = Math.max(leasedFrom, time);
        noteLease(now);
        returned();
        return;
      }
      if (!document) others.delete(id);
      else {
        const other = { ...readReport(document), heard: now };
        others.set(id, other);
        // Its report lies behind what it waits for, so our tail stands beyond that; work may still be under way.
        if (lastSettled < other.awaits) {
          if (other.awaits > wanted) wanted = other.awaits;
          if (settledPosition() >= other.awaits) void report().catch(() => {});
        }
      }
      if (barriers.size > 0) checkBarriers();
    },

    async reload() {
      others.clear();
      wanted = "";
      report().catch(() => {});
      await load();
    },

    async barrier(position) {
      await tail.passed(position);
      await everywhere(position);
    },

    async close() {
      closed = true;
      clearTimeout(timer);
      returned();
      checkBarriers();
      await reporting?.catch(() => {});
      await forget(self);
    },
  };
}

function readReport({ passed, settled, awaits }: Document): Report {
  return { passed: String(passed), settled: String(settled), awaits: String(awaits ?? "") };
}

function sameHistory(a: string, b: string): boolean {
  return a.slice(0, a.lastIndexOf(".")) === b.slice(0, b.lastIndexOf("."));
}

function notSettled(): GalleyError {
  return new GalleyError("unavailable", "it is stored, but not every server confirmed in time that it follows it", {
    outcome: "unknown",
  });
}
