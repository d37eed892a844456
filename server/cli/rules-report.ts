import type { Call } from "./command.ts";

/** What was found in a set of rules, or what somebody else has changed, as the server tells it. */
export interface Report {
  readonly faults?: readonly { readonly message: string }[];
  readonly findings?: readonly Finding[];
  readonly tests?: readonly TestResult[];
  readonly changed?: readonly Change[];
}

interface Finding {
  readonly id: string;
  readonly level: string;
  readonly path: string;
  readonly message: string;
  readonly fix?: unknown;
}

interface TestResult {
  readonly name: string;
  readonly passed: boolean;
  readonly message?: string;
}

interface Change {
  readonly path: string;
  readonly kind: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/** A line each; with `--json` the whole report as it came. */
export function printReport(call: Call, report: Report): void {
  if (call.json) {
    call.print(JSON.stringify(report));
    return;
  }
  const { faults = [], findings = [], tests = [], changed = [] } = report;
  for (const { message } of faults) call.print(`fault    ${message}`);
  for (const { level, id, message, fix } of findings) {
    call.print(`${level.padEnd(8)} ${message} [${id}]`);
    if (fix !== undefined) call.print(`         it would do to write ${JSON.stringify(fix)}`);
  }
  for (const { name, passed, message } of tests) {
    call.print(`${passed ? "passed  " : "failed  "} ${name}${message === undefined ? "" : `: ${message}`}`);
  }
  for (const { path, kind, before, after } of changed) {
    const [was, is] = [before, after].map((value) => (value === undefined ? "…" : JSON.stringify(value)));
    call.print(
      `${kind.padEnd(8)} ${path}${kind === "added" ? `: ${is}` : kind === "removed" ? "" : `: ${was} -> ${is}`}`,
    );
  }
}

/** What would stop these rules from being published, in words; undefined: nothing. */
export function failures(
  { faults = [], findings = [], tests = [] }: Report,
  acknowledged: readonly string[],
): string | undefined {
  const warnings = findings.filter(({ level, id }) => level === "warning" && !acknowledged.includes(id));
  const counts = [
    ["fault", faults.length],
    ["error", findings.filter(({ level }) => level === "error").length],
    ["warning", warnings.length],
    ["failed test", tests.filter(({ passed }) => !passed).length],
  ] as const;
  const found = counts.flatMap(([what, count]) => (count === 0 ? [] : [`${count} ${what}${count === 1 ? "" : "s"}`]));
  return found.length === 0 ? undefined : `found ${found.join(", ")}`;
}
