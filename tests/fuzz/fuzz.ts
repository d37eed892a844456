import { reportFinding } from "./report.ts";
import { type RoundSize, runRound } from "./rounds.ts";
import seeds from "./seeds.json" with { type: "json" };
import type { StoresUnderTest } from "./stores.ts";

export interface FuzzOptions {
  /** How many questions to ask at least, those of the stored seeds among them. */
  readonly cases: number;
  /** Of the first round; each further one has the next number. */
  readonly seed: number;
  /** Of the rounds with new questions; full if left out. */
  readonly size?: RoundSize;
  /** Told after each round: how many questions were asked so far. */
  readonly progress?: (asked: number) => void;
}

/**
 * Replays the stored seeds, then asks new questions, and stops at the first difference. A seed stands for its round only
 * as long as the generator draws the same: whoever changes what it draws looks for new seeds with the same mistakes.
 *
 * @returns how many questions were asked, and the report of the difference, if there was one
 */
export async function fuzz(
  { byName }: StoresUnderTest,
  options: FuzzOptions,
): Promise<{ asked: number; report?: string }> {
  let asked = 0;
  const round = async (seed: number, size?: RoundSize): Promise<string | undefined> => {
    const result = await runRound(byName, seed, size).catch((error: unknown) => {
      throw new Error(`seed ${seed} could not be run`, { cause: error });
    });
    asked += result.asked;
    options.progress?.(asked);
    const store = result.finding && byName.get(result.finding.store);
    return store && result.finding && (await reportFinding(store, seed, result.finding));
  };
  for (const { seed } of seeds) {
    const report = await round(seed);
    if (report) return { asked, report };
  }
  for (let seed = options.seed; asked < options.cases; seed++) {
    const report = await round(seed, options.size);
    if (report) return { asked, report };
  }
  return { asked };
}
