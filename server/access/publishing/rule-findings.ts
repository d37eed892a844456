import { GalleyError } from "#protocol/errors";
import type { Observations } from "../rule-tests/observations.ts";
import type { RuleSet } from "../rule-tree.ts";

/** A set of rules without faults, as it was sent and as it was read. */
export interface CheckedRules {
  readonly source: unknown;
  readonly rules: RuleSet;
}

/** What a lint says of a set of rules (access-rules.md 11). */
export interface Finding {
  /** As in `owner_not_scalar`; by it a warning is acknowledged. */
  readonly id: string;
  /** An error blocks a publish, a warning until it is acknowledged. */
  readonly level: "error" | "warning" | "note";
  readonly path: string;
  readonly message: string;
  /** What would mend it, where that can be written. */
  readonly fix?: unknown;
}

/** How one rule test ended. */
export interface TestResult {
  readonly name: string;
  readonly passed: boolean;
  /** What came instead, of a red one. */
  readonly message?: string;
}

/** What all tests of a set gave, and what was seen while they ran. */
export interface TestRun {
  readonly results: readonly TestResult[];
  readonly observations: Observations;
}

/** @param observations of the set's tests; undefined if it brings none */
export type Lints = (
  checked: CheckedRules,
  observations: Observations | undefined,
) => readonly Finding[] | Promise<readonly Finding[]>;

/** Runs what `rules.tests.json` holds. @throws GalleyError `invalid_argument` with every fault of the tests themselves */
export type RunTests = (checked: CheckedRules, tests: unknown) => Promise<TestRun>;

/**
 * Whether a set may be published, by what was found.
 * @param acknowledged ids of warnings that were read; "all" for a set that was in force before
 * @throws GalleyError `failed_precondition` with every finding and every red test
 */
export function demandPublishable(
  findings: readonly Finding[],
  tests: readonly TestResult[],
  acknowledged: readonly string[] | "all",
): void {
  const errors = findings.filter(({ level }) => level === "error");
  const red = tests.filter(({ passed }) => !passed);
  const unread = findings.filter(({ level, id }) => level === "warning" && !isAcknowledged(id));
  const blocked = [
    { reason: "lint_errors", those: errors, says: `mend ${countOf(errors, "error")}` },
    { reason: "tests_failed", those: red, says: `${countOf(red, "test")} failed` },
    { reason: "warnings", those: unread, says: `mend or acknowledge ${countOf(unread, "warning")}` },
  ].filter(({ those }) => those.length > 0);
  const [first] = blocked;
  if (!first) return;
  const message = `the rules were not published: ${blocked.map(({ says }) => says).join("; ")}`;
  const details = { findings: [...errors, ...unread], tests: red };
  throw new GalleyError("failed_precondition", message, { reason: first.reason, ...details, outcome: "not_applied" });

  function isAcknowledged(id: string): boolean {
    return acknowledged === "all" || acknowledged.includes(id);
  }
}

function countOf(those: readonly unknown[], what: string): string {
  return `${those.length} ${what}${those.length === 1 ? "" : "s"}`;
}
