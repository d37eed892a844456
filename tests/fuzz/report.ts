import { type Case, runCase } from "./case.ts";
import { caseFromJson, caseToJson, filterCase } from "./case-json.ts";
import { CollectionState } from "./collection-state.ts";
import type { Finding } from "./rounds.ts";
import { shrink } from "./shrink.ts";
import type { QueriedStore } from "./store-side.ts";

const MOST_LINES = 12;

/** Makes a finding small and puts it in words: how to repeat it, what was expected, what came. */
export async function reportFinding(store: QueriedStore, seed: number, finding: Finding): Promise<string> {
  const small = await shrinkCase(store, finding.case);
  const difference = (await runCase(store, small)) ?? finding.difference;
  const recorded = filterCase(`seed ${seed}`, small);
  return [
    `seed ${seed}: ${finding.store} differs from the evaluator in ${difference.what}`,
    ...(recorded ? [`as a filter case: ${JSON.stringify(recorded)}`] : []),
    `whole: ${JSON.stringify(caseToJson(small))}`,
    ...linesOf("expected", difference.expected),
    ...linesOf("actual", difference.actual),
  ].join("\n");
}

async function shrinkCase(store: QueriedStore, start: Case): Promise<Case> {
  const settled = settle(start);
  const first = (await runCase(store, settled)) ? settled : start;
  const json = await shrink(caseToJson(first), async (candidate) => {
    const run = readCase(candidate);
    return run !== undefined && (await runCase(store, run)) !== undefined;
  });
  return caseFromJson(json) ?? first;
}

/** The same data stored at once: most differences do not need the changes that led to it. */
function settle(start: Case): Case {
  const state = new CollectionState(start.indexes);
  for (const put of start.documents) state.commit([{ put }]);
  const before = start.question ? start.commits : start.commits.slice(0, -1);
  for (const changes of before) state.commit(changes);
  return { ...start, documents: state.documents, commits: start.commits.slice(before.length) };
}

/** What the shrinker cut out may have been what made it a case. */
function readCase(json: unknown): Case | undefined {
  try {
    return caseFromJson(json);
  } catch {
    return undefined;
  }
}

function linesOf(name: string, lines: readonly string[]): string[] {
  const shown = lines.slice(0, MOST_LINES).map((line) => `  ${line}`);
  return [`${name} (${lines.length}):`, ...shown, ...(lines.length > shown.length ? ["  …"] : [])];
}
