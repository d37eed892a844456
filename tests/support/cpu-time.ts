/**
 * Starts to count the CPU time of this process; the result tells it, in milliseconds. What bounds the cost of an input
 * asks this and not the clock, which a busy machine makes wrong.
 */
export function cpuTime(): () => number {
  const start = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1000;
  };
}
