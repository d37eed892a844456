/** Makes a function that runs jobs, so many at a time, in the order in which they came. */
export function createLanes(lanes: number): <T>(job: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let busy = 0;

  return async (job) => {
    if (busy < lanes) busy++;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await job();
    } finally {
      // Whoever ends hands the lane on.
      const next = waiting.shift();
      if (next) next();
      else busy--;
    }
  };
}
