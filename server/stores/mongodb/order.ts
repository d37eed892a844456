import { randomBytes } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import type { CommitLog } from "../commit-log.ts";
import type { DocumentStore, Position } from "../document-store.ts";
import { historyOf } from "../positions.ts";
import { CATALOG } from "./catalog-record.ts";
import type { Connection } from "./connect.ts";
import { createNodes } from "./nodes.ts";
import { positionOf } from "./positions.ts";
import { NODES } from "./reporter.ts";
import { createTail, type TailCounts } from "./tail.ts";
import { Deadline } from "./time-limit.ts";
import { outOfTouch, type Work } from "./work-under-way.ts";

export interface OrderOptions {
  readonly connection: Connection;
  /** Collections whose documents nobody is told of. */
  readonly unfollowed: readonly string[];
  /** The name of the database's history, read anew whenever the order of commits was lost. */
  readonly history: () => Promise<string>;
  /** Reads what is known of a collection anew, which another node may have changed. */
  readonly refresh: (collection: string) => Promise<unknown>;
  /** Reads everything of that kind anew: changes were missed. */
  readonly reload: () => Promise<unknown>;
  /** Told of versions that are stored, by whomever. */
  readonly stored: (version: number) => void;
  /** Tells whoever runs the server. */
  readonly warn: (message: string, error?: unknown) => void;
}

/** The order of commits and the nodes that follow it: what the port's tail, `barrier` and `position` stand on. */
export interface Order
  extends Pick<DocumentStore, "tail" | "passed" | "barrier" | "nodes" | "position">,
    Pick<CommitLog, "reach"> {
  readonly counts: Readonly<TailCounts>;
  /** Everything up to here was told. */
  readonly told: Position;
  /** How often the tail has told that a collection was made, changed, dropped or renamed. */
  readonly reshaped: number;
  /** Resolves once the tail has told everything that was stored before the call, and stands at a later position. */
  fence(): Promise<void>;
  /** Resolves once commits are followed and the other nodes are known, for as long as that takes. */
  open(): Promise<void>;
  /**
   * Whether this node may serve (nodes.ts "The lease"). While those who follow commits make up for some that were missed,
   * they can reach the server's own collections, and nobody can reach others.
   * @throws GalleyError `unavailable`, `not_applied`
   */
  demandTouch(collections: readonly string[]): void;
  /** Notes that a commit begins, which is judged by what is known now. */
  begin(): Work;
  /** Ends the stream, and leaves the nodes. Commits must have ended. */
  close(): Promise<void>;
}

/** Milliseconds for which requests wait after touch was lost: mostly the process stood still, and it takes a few. */
const PATIENCE = 1000;
const LOOK = 10;
/** Milliseconds in which an event mostly comes, if one does. */
const SOON = 10;

export function createOrder(options: OrderOptions): Order {
  const { connection, unfollowed, history, refresh, reload, stored, warn } = options;
  const db = connection.server;
  /** The highest position that somebody waits for, until it is looked after. */
  let wanted: Position | undefined;
  const tail = createTail({
    db,
    unfollowed,
    history,
    internal(change) {
      if (change.collection === NODES) nodes.heard(change);
      return change.collection === CATALOG ? refresh(change.id) : undefined;
    },
    reshaped: refresh,
    stored,
    lost() {
      warn("commits of other servers were missed: everything that follows them is read anew");
      return Promise.all([nodes.reload(), reload()]);
    },
    failed: (error) => warn("the change stream has ended: opening another", error),
  });
  const nodes = createNodes({
    db,
    self: randomBytes(8).toString("hex"),
    tail,
    onLease(held) {
      warn(held ? "in touch with the database" : "lost touch with the database: refusing requests until it is back");
    },
  });

  function position(): Position {
    const { seen } = connection;
    const told = tail.position;
    if (!seen) return told;
    const shown = positionOf(historyOf(told), seen);
    return shown > told ? shown : told;
  }

  /** A commit that nobody is told of moves the tail with the next event only: where none comes soon, a report is one. */
  function seeTo(awaited: Position): void {
    if (awaited <= tail.position || awaited > position()) return;
    if (wanted === undefined) setTimeout(reportIfWanted, SOON).unref();
    if (wanted === undefined || awaited > wanted) wanted = awaited;
  }

  function reportIfWanted(): void {
    const missing = wanted !== undefined && wanted > tail.position;
    wanted = undefined;
    if (missing) nodes.report().catch(() => {});
  }

  function inTouch(): boolean {
    return tail.restarting === undefined && nodes.lease.held();
  }

  function mayServe(collections: readonly string[]): boolean {
    const { restarting } = tail;
    if (!restarting) return nodes.lease.held();
    return restarting === "reading" && collections.every((name) => name.startsWith("_"));
  }

  return {
    counts: tail.counts,
    tail: (from, listener, lost) => tail.tail(from ?? position(), listener, lost),
    async passed(awaited) {
      const passed = tail.passed(awaited);
      seeTo(awaited);
      return passed;
    },
    reach: tail.reach,
    get told() {
      return tail.position;
    },
    get reshaped() {
      return tail.reshaped;
    },
    async fence() {
      const time = await nodes.report();
      await tail.passed(positionOf(historyOf(tail.position), time));
    },
    async barrier(awaited) {
      seeTo(awaited);
      return nodes.barrier(awaited);
    },
    nodes: {
      self: nodes.self,
      lives: nodes.lives,
      get inTouch() {
        return inTouch();
      },
      get lag() {
        return nodes.lease.age;
      },
      async touch() {
        // While commits are made up for, the lease is held.
        const patience = new Deadline(PATIENCE);
        while (!inTouch()) {
          if (patience.over || (!nodes.lease.held() && nodes.lease.lostFor() > PATIENCE)) throw outOfTouch();
          await wait(LOOK);
        }
      },
    },
    position,
    async open() {
      await tail.open();
      await nodes.open();
    },
    demandTouch(collections) {
      if (!mayServe(collections)) throw outOfTouch();
    },
    begin: nodes.begin,
    async close() {
      await nodes.close();
      await tail.close();
    },
  };
}
