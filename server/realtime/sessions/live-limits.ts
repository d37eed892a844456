/** What one socket, and one user, may ask of a node; live-queries.md 10. Tests raise or lower them. */
export interface LiveLimits {
  /** Seconds until `hello` must have come. */
  readonly helloSeconds: number;
  /** Milliseconds for which a position is waited for that a client has seen and this node has not. */
  readonly aheadMs: number;
  readonly socketsPerUser: number;
  readonly subscriptions: number;
  /** Frames `sub`, and `unsub` of none: at once, and then each second. */
  readonly questionBurst: number;
  readonly questionsPerSecond: number;
  /** All other frames, each second. */
  readonly othersPerSecond: number;
  /** The frame that is wrong after so many others ends the socket. */
  readonly faults: number;
  /** Characters of frames that came before those before them were dealt with. */
  readonly waitingCharacters: number;
  /** What a socket may leave unread before it is closed. */
  readonly unsentBytes: number;
  readonly unsentMessages: number;
  readonly snapshotBytes: number;
  /** The next snapshot is made when less than that is unsent. */
  readonly snapshotsBelow: number;
  /** Seconds between two beats. */
  readonly beatSeconds: number;
  /** Documents of one lookup that are followed one by one; of more, each write to their collection has it read anew. */
  readonly lookupDocuments: number;
}

export const LIVE_LIMITS: LiveLimits = {
  helloSeconds: 5,
  aheadMs: 5000,
  socketsPerUser: 50,
  subscriptions: 200,
  questionBurst: 200,
  questionsPerSecond: 50,
  othersPerSecond: 20,
  faults: 100,
  waitingCharacters: 1024 * 1024,
  unsentBytes: 4 * 1024 * 1024,
  unsentMessages: 1000,
  snapshotBytes: 2 * 1024 * 1024,
  snapshotsBelow: 256 * 1024,
  beatSeconds: 25,
  lookupDocuments: 10_000,
};
