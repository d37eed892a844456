/** Of a node, plain numbers for metrics (live-queries.md 16). */
export interface SessionCounters {
  sockets: number;
  subscriptions: number;
  /** Verdicts that were asked for again. */
  rebinds: number;
  /** Results that clients still held, and those that they held no more. */
  resumed: number;
  not_resumed: number;
  snapshots: number;
  /** Times that a session was asked who it is now. */
  renewals: number;
  /** By close code. */
  readonly closes: Record<string, number>;
}

export function createSessionCounters(): SessionCounters {
  return {
    ...{ sockets: 0, subscriptions: 0, rebinds: 0, resumed: 0, not_resumed: 0, snapshots: 0, renewals: 0 },
    closes: {},
  };
}
