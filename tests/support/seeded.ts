/** A sequence of numbers in [0, 1) that a seed repeats, so that a schedule can be run again. */
export type Random = () => number;

export function seeded(seed: number): Random {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** The seed of this run: that of `GALLEY_TEST_SEED`, which repeats a run, else a new one. Tell it to the reader. */
export function chooseSeed(): number {
  return Number(process.env.GALLEY_TEST_SEED ?? Date.now() % 100_000);
}

export function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(random() * list.length)] as T;
}
