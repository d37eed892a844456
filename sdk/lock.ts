/**
 * Runs one thing at a time: over all tabs where they can lock, else in this one.
 *
 * @param work is told whether somebody else was before it
 */
export type Lock = <R>(work: (waited: boolean) => Promise<R>) => Promise<R>;

/** @param locks Web Locks; undefined where there are none, or nothing that tabs share */
export function createLock(locks: LockManager | undefined, name: string): Lock {
  let line: Promise<unknown> = Promise.resolve();
  return (work) => {
    const run = locks ? lockedIn(locks, name, work) : line.then(() => work(false));
    line = run.catch(() => {});
    return run;
  };
}

async function lockedIn<R>(locks: LockManager, name: string, work: (waited: boolean) => Promise<R>): Promise<R> {
  const done = await locks.request(name, { ifAvailable: true }, async (lock) => lock && { result: await work(false) });
  return done ? done.result : locks.request(name, () => work(true));
}
