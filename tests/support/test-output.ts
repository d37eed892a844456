/** Reads what a test file printed, which is TAP 14. Only what the counts and a reader need: parsing each assertion is dear. */
import { mappedPositions } from "./source-positions.ts";

export interface Counts {
  readonly total: number;
  readonly pass: number;
  readonly fail: number;
  readonly skip: number;
  readonly todo: number;
}

/** Names, passes, plans and times: of interest only where something fails. */
const QUIET = /^\s*(?:ok \d.*|# Subtest: .*|\d+\.\.\d+.*|# time=.*|# \{ total: .*|TAP version 14|)$/;
const DIRECTIVE = /# (?:SKIP|TODO)\b/i;

/** What tap counted in this process; undefined if it did not come to its end. */
export function countsIn(output: string): Counts | undefined {
  const line = /^# (\{ total: .*\})$/m.exec(output.slice(output.lastIndexOf("\n# { total:") + 1))?.[1];
  if (line === undefined) return undefined;
  const count = (kind: string) => Number(new RegExp(`\\b${kind}: (\\d+)`).exec(line)?.[1] ?? 0);
  return { total: count("total"), pass: count("pass"), fail: count("fail"), skip: count("skip"), todo: count("todo") };
}

/**
 * The other lines, indented once more, with the places in sources that they name. What tap shows of the code around a
 * failure is a line of a bundle, folded into hundreds: it would bury the failure, whose place in the sources is named anyway.
 */
export function toldIn(output: string): string {
  const kept: string[] = [];
  /** How far the code is indented that is being left out. */
  let hidden = Number.POSITIVE_INFINITY;
  for (const line of output.split("\n")) {
    const indent = line.search(/\S/);
    if (indent < 0 || indent > hidden) continue;
    hidden = /^\s+source: /.test(line) ? indent : Number.POSITIVE_INFINITY;
    const isQuiet = QUIET.test(line) && !DIRECTIVE.test(line);
    if (!isQuiet && hidden > indent) kept.push(`    ${line.slice(0, LONGEST)}\n`);
  }
  return mappedPositions(kept.join(""));
}

/** What else may be long: a message, an id of a test. */
const LONGEST = 1000;
