import type { Db, Document, Timestamp } from "mongodb";
import { GalleyError } from "#protocol/errors";
import type { DocumentStore, Nodes, Position } from "../document-store.ts";
import { createLease, type Lease, leaseClock } from "./lease.ts";
import { createReporter, NODES } from "./reporter.ts";
import type { InternalChange } from "./tail-commit.ts";
import { type Work, WorkUnderWay } from "./work-under-way.ts";

export interface NodesOptions {
  readonly db: Db;
  /** The name of this node, for as long as it runs. */
  readonly self: string;
  /** Where the tail stands, and a wait for it. */
  readonly tail: Pick<DocumentStore, "passed"> & { readonly position: Position; reopen(): void };
  /** Milliseconds of a clock that never goes back, to tell how long others have been silent. */
  readonly monotonic?: () => number;
  /** Told when this node stops serving, and when it serves again. */
  readonly onLease: (held: boolean) => void;
}

/**
 * The nodes that work on one database (access-rules.md 10). Each reports every second how far its tail is; every tail shows
 * that to all, and each node's own report coming back to it is its lease.
 *
 * Who has to know that a commit at P is passed everywhere waits until each node has reported so. But for a node that does
 * not, it waits at most until that must have stopped serving: 5 s after its last report, or after the barrier began. For
 * a report that it sent after the commit, and that came back to it, would show that it has passed the commit.
 */
export interface MongoNodes extends Pick<DocumentStore, "barrier">, Pick<Nodes, "self" | "lives"> {
  readonly lease: Pick<Lease, "held" | "lostFor" | "age">;
  /** Reports for the first time; resolves when this node holds its lease and knows the others. Throws what a read does. */
  open(): Promise<void>;
  /** Notes that work begins which is judged by what is known now. */
  begin(): Work;
  /** Reports; resolves with the time at which that was stored. @throws what the write does */
  report(): Promise<Timestamp>;
  /** A report came by the tail, or one was removed: that node has left. */
  heard(change: InternalChange): void;
  /** The tail has lost the order of commits: everything it has told of nodes may be out of date. */
  reload(): Promise<void>;
  close(): Promise<void>;
}

interface Report {
  readonly sequence: number;
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

/** How long a node that says nothing is waited for: more than a lease. */
const SILENCE = 5000;
/**
 * A lease of this age, and a tail that has stood for so long though reports were written, mean that the stream has died
 * without a word. Seen at a report, so that another stream can bring that one before the lease is lost.
 */
const STALE = { lease: 3000, tail: 1500 };
/** How long a barrier waits in all, when a live node does not settle. */
const BARRIER_LIMIT = 15_000;
const LOOK = 250;
/** After this the report of a dead node is removed. */
const FORGET = 60_000;

export function createNodes(options: NodesOptions): MongoNodes {
  const { db, self, tail, monotonic = () => performance.now(), onLease } = options;
  const others = new Map<string, Other>();
  const barriers = new Set<{ readonly position: Position; check(): void }>();
  const works = new WorkUnderWay(checkAll);
  const lease = createLease(leaseClock(), (held) => {
    if (!held) works.spoil();
    onLease(held);
  });
  const reporter = createReporter({ db, self, content, tick });
  /** What the last report said of us. */
  let lastSettled = "";
  /** The highest position that others wait for and that we have not reported as settled. */
  let wanted = "";
  /** Where the tail was seen to stand, and since when. */
  let stood = "";
  let moved = 0;
  let closed = false;
  let returned: () => void = () => {};

  function settledPosition(): Position {
    return works.oldest ?? tail.position;
  }

  function content(): Document {
    lastSettled = settledPosition();
    if (lastSettled >= wanted) wanted = "";
    const waits = [...barriers].map(({ position }) => position).sort();
    return { sequence: lease.send(), passed: tail.position, settled: lastSettled, awaits: waits.at(-1) ?? "" };
  }

  function tick(): void {
    const now = monotonic();
    lease.held();
    if (tail.position !== stood) {
      stood = tail.position;
      moved = now;
    } else if (lease.age > STALE.lease && now - moved > STALE.tail) {
      moved = now;
      tail.reopen();
    }
    for (const [node, { heard, sequence }] of others) {
      if (now - heard < FORGET) continue;
      others.delete(node);
      // Not a report that it sends right now.
      void remove({ _id: node, sequence });
    }
  }

  async function remove(report: { _id: string; sequence?: number }): Promise<void> {
    await db
      .collection<{ _id: string }>(NODES)
      .deleteOne(report)
      .catch(() => {});
  }

  function checkAll(): void {
    for (const barrier of barriers) barrier.check();
    if (wanted !== "" && settledPosition() >= wanted) reporter.report();
  }

  /** Whether a node has settled a position, or must have stopped serving. */
  function isOver({ passed, settled, heard }: Other, position: Position, since: number): boolean {
    const now = monotonic();
    if (reaches(settled, position) || now - heard >= SILENCE) return true;
    return !reaches(passed, position) && now - since >= SILENCE;
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
        check() {
          const here = settledPosition() >= position;
          if (here && [...others.values()].every((other) => isOver(other, position, since))) end();
          else if (closed || monotonic() - since >= BARRIER_LIMIT) end(notSettled());
        },
      };
      const looking = setInterval(barrier.check, LOOK);
      barriers.add(barrier);
      barrier.check();
      // The others report at once when they see that they are waited for.
      if (barriers.has(barrier) && others.size > 0) reporter.report();
    });
  }

  async function load(): Promise<void> {
    const found = await db.collection(NODES).find({}).toArray();
    for (const document of found) {
      const id = String(document._id);
      // What the tail brought meanwhile is newer.
      if (id !== self && !others.has(id)) others.set(id, { ...readReport(document), heard: monotonic() });
    }
  }

  function take(id: string, report: Report): void {
    others.set(id, { ...report, heard: monotonic() });
    // Its report lies behind what it waits for, so our tail stands beyond that; work may still be under way.
    if (lastSettled < report.awaits && wanted < report.awaits) wanted = report.awaits;
  }

  return {
    self,
    lives: (node) => node === self || monotonic() - (others.get(node)?.heard ?? Number.NEGATIVE_INFINITY) < SILENCE,
    lease,

    async open() {
      const back = new Promise<void>((resolve) => {
        returned = resolve;
      });
      reporter.report();
      await back;
      if (closed) throw new GalleyError("unavailable", "the store is closed");
      await load();
    },

    begin: () => works.begin(tail.position),
    report: () => reporter.stored(),

    heard({ id, document }) {
      if (id === self) {
        // Others may have taken it away, if they took this node for gone.
        if (!document) reporter.report();
        lease.came(Number(document?.sequence));
        if (lease.held()) returned();
        return;
      }
      if (document) take(id, readReport(document));
      else others.delete(id);
      checkAll();
    },

    async reload() {
      others.clear();
      wanted = "";
      reporter.report();
      await load();
    },

    async barrier(position) {
      await tail.passed(position);
      await everywhere(position);
    },

    async close() {
      closed = true;
      returned();
      checkAll();
      await reporter.close();
      await remove({ _id: self });
    },
  };
}

function readReport({ sequence, passed, settled, awaits }: Document): Report {
  return {
    sequence: Number(sequence),
    passed: String(passed),
    settled: String(settled),
    awaits: String(awaits ?? ""),
  };
}

/** Whether a reported position stands at or past another; never if it is of another history. */
function reaches(reported: string, position: Position): boolean {
  const history = position.slice(0, position.lastIndexOf(".") + 1);
  return reported.startsWith(history) && reported >= position;
}

function notSettled(): GalleyError {
  return new GalleyError("unavailable", "it is stored, but not every server confirmed in time that it follows it", {
    outcome: "unknown",
  });
}
