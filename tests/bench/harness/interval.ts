/** An estimate and the bounds between which the truth lies, with a chance of 95 %. */
export interface Interval {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** Two-sided 95 % of the normal distribution. */
const Z = 1.96;

/**
 * The median and its interval by order statistics, which asks nothing of how the values are distributed: timings have
 * long tails (Conover, Practical Nonparametric Statistics, 3.2).
 */
export function medianInterval(values: readonly number[]): Interval {
  const sorted = [...values].sort((a, b) => a - b);
  const n = sorted.length;
  const reach = (Z * Math.sqrt(n)) / 2;
  const at = (rank: number) => sorted[Math.min(n - 1, Math.max(0, Math.round(rank)))] ?? 0;
  const median = (at(Math.floor((n - 1) / 2)) + at(Math.ceil((n - 1) / 2))) / 2;
  return { median, low: at(Math.floor(n / 2 - reach) - 1), high: at(Math.ceil(n / 2 + reach)) };
}
