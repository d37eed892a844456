/** Gives out document versions: each greater than every one before it, also than those of earlier runs. */
export interface Versions {
  /** `max(previous + 1, now * 1024)`, and never one that was given out before (query-language.md 2). */
  next(previous: number): number;
  /** Tells of a version that is stored. */
  raise(stored: number): void;
}

export function createVersions(clock: () => number): Versions {
  let highest = 0;
  return {
    next(previous) {
      highest = Math.max(previous + 1, Math.floor(clock()) * 1024, highest + 1);
      return highest;
    },
    raise(stored) {
      highest = Math.max(highest, stored);
    },
  };
}
