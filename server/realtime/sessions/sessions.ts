import { setTimeout as wait } from "node:timers/promises";
import { CLOSE } from "#protocol/frames";
import type { Authorizer } from "../../access/authorize.ts";
import type { Log } from "../../log.ts";
import type { DocumentStore } from "../../stores/document-store.ts";
import type { LiveService, LiveSession, Questions, TellDenial, Windows } from "../contract.ts";
import type { LiveTail } from "../live-tail.ts";
import { createMatching } from "../matching/matching.ts";
import { createLiveLookups } from "../rights/live-lookups.ts";
import { followRights } from "../rights/live-rights.ts";
import type { LiveSet } from "../rights/live-set.ts";
import { LoadSlots } from "../windows/load-slots.ts";
import type { Identities } from "./identity.ts";
import { LIVE_LIMITS, type LiveLimits } from "./live-limits.ts";
import { createPeople, type LiveNode } from "./live-node.ts";
import { Session } from "./session.ts";
import { createSessionCounters, type SessionCounters } from "./session-counters.ts";
import { SessionIndex } from "./session-index.ts";
import { createErrorTexts } from "./told-errors.ts";
import { createWheel, type EverySecond } from "./wheel.ts";

export interface LiveServiceOptions {
  readonly store: Pick<DocumentStore, "find" | "count" | "distinct" | "nodes">;
  /** Sessions follow it as its steps `rights` and `sessions`. */
  readonly tail: LiveTail;
  readonly windows: Windows;
  readonly questions: Questions;
  readonly access: Pick<Authorizer, "standing">;
  readonly identities: Identities;
  readonly tellDenial: TellDenial;
  /** As of the node that sessions share. */
  readonly countRequest: LiveNode["countRequest"];
  /** Resolves once the rules are those in force, where commits were missed. */
  readonly rulesRead: () => Promise<void>;
  readonly clock: () => number;
  readonly random: (bytes: number) => Uint8Array;
  readonly log: Log;
  readonly limits?: Partial<LiveLimits> | undefined;
  readonly monotonic?: () => number;
  readonly everySecond?: EverySecond;
}

export interface LiveSessions extends LiveService {
  /** A set of rules came into force. */
  rulesChanged(): void;
  readonly counters: Readonly<SessionCounters>;
}

/** `$now` of rules goes by ticks: access-rules.md 8.4. */
const TICK_MILLISECONDS = 30_000;
/** Sessions that are looked at in one turn, so that the event loop comes round among thousands. */
const AT_ONCE = 1000;
/** Milliseconds of a turn for those whom rules concern, who may show much. */
const VISITING = 10;
/** Lookups that are read at once. */
const READS = 16;
/** A node whose commits come this late takes on nobody new; live-queries.md 11. */
const MOST_LAG = 5000;
/** Milliseconds between looks at whether this node may serve again. */
const OUT_OF_TOUCH = 250;

/** The sockets of this node, and what each may be sent. */
export function createLiveSessions(options: LiveServiceOptions): LiveSessions {
  const { store, tail, windows, questions, access, identities, countRequest, rulesRead, clock, random, log } = options;
  const limits = { ...LIVE_LIMITS, ...options.limits };
  const wheel = createWheel(limits.beatSeconds, options.everySecond);
  const lookups = createLiveLookups({
    ...{ store, tail, matching: createMatching<LiveSet>(), slots: new LoadSlots(READS) },
    documents: limits.lookupDocuments,
  });
  const index = new SessionIndex<Session>();
  const counters = createSessionCounters();
  const sessions = new Set<Session>();
  /** In the order in which they are told. */
  const awake: Session[] = [];
  const timed = new Set<Session>();
  /** Those who were not looked at yet since rules changed. */
  let unvisited: Iterator<Session> | undefined;
  let rulesTurn = 0;
  let tick = tickOf(clock());
  /** Commits were missed, and rights were not read anew since. */
  let isLost = false;
  let losses = 0;
  let looking = false;
  let closed = false;

  const node: LiveNode = {
    ...{
      tail,
      windows,
      questions,
      lookups,
      access,
      identities,
      countRequest,
      limits,
      log,
      wheel,
      index,
      counters,
      clock,
    },
    people: createPeople(limits.socketsPerUser),
    monotonic: options.monotonic ?? (() => performance.now()),
    errors: createErrorTexts({ random, log, tellDenial: options.tellDenial }),
    rulesTurn: () => rulesTurn,
    isOpen,
    wake(session) {
      // Of those who are awake already, one has asked for it.
      if (awake.push(session) === 1) tail.flushSoon();
    },
    setTimed(session, isTimed) {
      if (isTimed) timed.add(session);
      else timed.delete(session);
    },
    ended(session) {
      sessions.delete(session);
      timed.delete(session);
      counters.sockets--;
    },
  };

  tail.follow("rights", { commit: followRights({ lookups, index }), lost });
  tail.follow("sessions", { flush });
  wheel.each(everySecond);

  function isOpen(): boolean {
    return !isLost && store.nodes.inTouch;
  }

  function flush(): void {
    if (!store.nodes.inTouch) lookAgain();
    let left = AT_ONCE - flushAwake();
    for (const end = node.monotonic() + VISITING; unvisited && left > 0 && node.monotonic() <= end; left--) {
      const { done, value } = unvisited.next();
      if (done) unvisited = undefined;
      else value.flush();
    }
    if (awake.length > 0 || unvisited) tail.flushSoon();
  }

  /** Those who are woken meanwhile are among them. @returns how many */
  function flushAwake(): number {
    let count = 0;
    try {
      for (let session = awake[0]; session && count < AT_ONCE; session = awake[count]) {
        count++;
        session.flush();
      }
    } finally {
      awake.splice(0, count);
    }
    return count;
  }

  /** What was held back goes out as soon as it may. */
  function lookAgain(): void {
    if (looking || closed) return;
    looking = true;
    store.nodes
      .touch()
      .catch(() => wait(OUT_OF_TOUCH, undefined, { ref: false }))
      .finally(() => {
        looking = false;
        visitAll();
      });
  }

  function visitAll(): void {
    unvisited = sessions.values();
    tail.flushSoon();
  }

  function everySecond(): void {
    const now = tickOf(clock());
    if (now !== tick) {
      for (const session of timed) session.timeChanged();
      lookups.sweep();
    }
    tick = now;
  }

  /** From here on nothing is sent until the rules are known again, and then on no socket whose principal is not. */
  async function lost(): Promise<void> {
    const mine = ++losses;
    isLost = true;
    lookups.lost();
    await rulesRead();
    if (mine !== losses) return;
    for (const session of [...sessions]) void session.lost();
    isLost = false;
    visitAll();
  }

  return {
    counters,

    open(outlet, caller): LiveSession {
      const session = new Session(node, outlet, caller);
      sessions.add(session);
      counters.sockets++;
      if (closed || store.nodes.lag >= MOST_LAG) session.refuse(CLOSE.overloaded, "this server lags behind");
      return session;
    },

    rulesChanged() {
      rulesTurn++;
      visitAll();
    },

    async close() {
      closed = true;
      wheel.close();
      for (const session of [...sessions]) session.end();
      lookups.close();
    },
  };
}

function tickOf(now: number): number {
  return Math.floor(now / TICK_MILLISECONDS);
}
