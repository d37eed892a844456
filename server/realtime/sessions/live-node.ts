import type { Authorizer } from "../../access/authorize.ts";
import type { Principal } from "../../access/principal.ts";
import type { Log } from "../../log.ts";
import type { Questions, Windows } from "../contract.ts";
import type { LiveTail } from "../live-tail.ts";
import type { LiveLookups } from "../rights/live-lookups.ts";
import type { Identities } from "./identity.ts";
import type { LiveLimits } from "./live-limits.ts";
import type { Session } from "./session.ts";
import type { SessionCounters } from "./session-counters.ts";
import type { SessionIndex } from "./session-index.ts";
import type { ErrorTexts } from "./told-errors.ts";
import type { Wheel } from "./wheel.ts";

/** What the sessions of a node have in common. */
export interface LiveNode {
  readonly tail: Pick<LiveTail, "position" | "reached">;
  readonly windows: Windows;
  readonly questions: Questions;
  readonly lookups: LiveLookups;
  readonly access: Pick<Authorizer, "standing">;
  readonly identities: Identities;
  readonly limits: LiveLimits;
  readonly log: Log;
  readonly wheel: Wheel;
  readonly index: SessionIndex<Session>;
  readonly people: People;
  readonly counters: SessionCounters;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  /** Milliseconds of a clock that never goes back. */
  readonly monotonic: () => number;
  readonly errors: ErrorTexts;
  /** Counts a question against what somebody may ask in a minute, as a request. @throws GalleyError `rate_limited` */
  readonly countRequest: (principal: Principal) => void;
  /** Sets of rules that have come into force so far. */
  readonly rulesTurn: () => number;
  /** Whether something may be sent: this node knows what others changed, and what it remembers is right. */
  readonly isOpen: () => boolean;
  /** The session has something to do in the flush of this turn. */
  wake(session: Session): void;
  /** Whether some of what it shows depends on the time. */
  setTimed(session: Session, timed: boolean): void;
  /** It has ended. */
  ended(session: Session): void;
}

/** Counts sockets of people. */
export interface People {
  /** Whether there is room for one more; it is counted then. */
  enter(person: string): boolean;
  leave(person: string): void;
}

export function createPeople(most: number): People {
  const counts = new Map<string, number>();
  return {
    enter(person) {
      const count = counts.get(person) ?? 0;
      if (count >= most) return false;
      counts.set(person, count + 1);
      return true;
    },
    leave(person) {
      const left = (counts.get(person) ?? 1) - 1;
      if (left > 0) counts.set(person, left);
      else counts.delete(person);
    },
  };
}
