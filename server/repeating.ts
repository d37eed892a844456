const INTERVAL = 10 * 60 * 1000;

/** Work that is done every ten minutes; `close` waits for what is under way. */
export interface Repeating {
  close(): Promise<void>;
}

/**
 * @param work asks between its steps whether it is over
 * @param failed is told what it failed by; it is done again at its next time
 */
export function startRepeating(
  work: (isOver: () => boolean) => Promise<unknown>,
  failed: (error: unknown) => void,
): Repeating {
  let closed = false;
  let working: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    working = work(() => closed).catch(failed);
  }, INTERVAL);
  timer.unref();
  return {
    async close() {
      closed = true;
      clearInterval(timer);
      await working;
    },
  };
}
