/**
 * A count that both threads see: odd while the writer may be changing the file, raised with each change. A reader that
 * finds the same even number before and after a statement knows what state it read, without a transaction around it.
 */
export type Activity = Int32Array<SharedArrayBuffer>;

export function createActivity(): Activity {
  return new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
}

/** The number of the state that the file is in; undefined while it may be changing. */
export function stampOf(activity: Activity): number | undefined {
  const count = Atomics.load(activity, 0);
  return (count & 1) === 0 ? count : undefined;
}

/** How often the file was changed; a change that is under way counts. */
export function commitsOf(activity: Activity): number {
  return (Atomics.load(activity, 0) + 1) >> 1;
}

/** For the writer's thread: does what may change the file. */
export function changing<T>(activity: Activity, work: () => T): T {
  Atomics.add(activity, 0, 1);
  try {
    return work();
  } finally {
    Atomics.add(activity, 0, 1);
  }
}

/** For a writer's thread that starts: the one before it may have ended within a change. */
export function settleActivity(activity: Activity): void {
  if (stampOf(activity) === undefined) Atomics.add(activity, 0, 1);
}
