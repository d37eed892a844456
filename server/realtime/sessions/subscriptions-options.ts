import type { Standing } from "../../access/authorize.ts";
import type { Asker, Windows } from "../contract.ts";
import type { AskedLookups, LiveLookups } from "../rights/live-lookups.ts";
import type { LiveLimits } from "./live-limits.ts";
import type { SessionCounters } from "./session-counters.ts";
import type { Subscription } from "./subscription.ts";

/** What the subscriptions of a socket are given. */
export interface SubscriptionsOptions {
  readonly windows: Windows;
  readonly lookups: LiveLookups;
  readonly asked: AskedLookups;
  readonly limits: Pick<LiveLimits, "snapshotBytes">;
  /** Whose rights they are shown under. */
  readonly standing: () => Standing;
  /** Whether it is not known at the moment what they may do. */
  readonly isHeld: () => boolean;
  /** It has something to do in the flush of this turn. */
  readonly session: { wake(): void };
  /** On whose account windows are read. */
  readonly asker: () => Asker;
  /** What a subscription is told when an error ends it. */
  readonly failed: (error: unknown, s: number) => string;
  /** The same where its verdict was the error; of what rules deny, maybe a moment later. Never rejects. */
  readonly refused: (error: unknown, subscription: Subscription) => string | Promise<string>;
  readonly counters: SessionCounters;
  /** Sets of rules that have come into force so far. */
  readonly rulesTurn: () => number;
}
