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

/** The other lines, indented once more, with the places in sources that they name. */
export function toldIn(output: string): string {
  const lines = output.split("\n").filter((line) => !QUIET.test(line) || DIRECTIVE.test(line));
  return mappedPositions(lines.map((line) => `    ${line.slice(0, LONGEST)}\n`).join(""));
}

/** What tap shows around a failure may be a line of a bundle. */
const LONGEST = 1000;
