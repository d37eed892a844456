/** Runs work one at a time for each key, in the order of the calls. */
export interface KeyedLock {
  run<T>(key: string, work: () => Promise<T>): Promise<T>;
}

export function keyedLock(): KeyedLock {
  const locks = new Map<string, Promise<unknown>>();
  return {
    async run(key, work) {
      const before = locks.get(key);
      const mine = (async () => {
        await before?.catch(() => {});
        return work();
      })();
      locks.set(key, mine);
      try {
        return await mine;
      } finally {
        if (locks.get(key) === mine) locks.delete(key);
      }
    },
  };
}
