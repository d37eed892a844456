import type { Finding, Lints } from "../publishing/rule-findings.ts";
import { callerLints } from "./caller.ts";
import { clauseLints } from "./clauses.ts";
import { hiddenLints } from "./hidden.ts";
import { indexLints } from "./indexes.ts";
import type { Declared, Lint, MissingIndex } from "./lint.ts";
import { lookupLints } from "./lookups.ts";
import { nameLints } from "./names.ts";
import { openLints } from "./open.ts";
import { ownershipLints } from "./ownership.ts";
import { seeingLints } from "./seeing.ts";

/** Findings of one set, of those that say the same in many places too. */
const MOST_FINDINGS = 500;
const LEVELS: readonly Finding["level"][] = ["error", "warning", "note"];
const ALL: readonly Lint[] = [
  ...[openLints, seeingLints, lookupLints, ownershipLints, callerLints],
  ...[hiddenLints, indexLints, nameLints, clauseLints],
];

export interface LintOptions {
  /** What is declared of a collection; undefined: nothing. */
  readonly declared: (collection: string) => Promise<Declared | undefined>;
  readonly missingIndex: MissingIndex;
}

/** The lints of access-rules.md 11: the worst first. */
export function createLints({ declared, missingIndex }: LintOptions): Lints {
  return async (checked, observations) => {
    const names = [...new Set([...checked.rules.collections.keys(), ...checked.rules.rightsCollections])];
    const all = await Promise.all(names.map(async (name) => [name, await declared(name)] as const));
    const known: ReadonlyMap<string, Declared | undefined> = new Map(all);
    const context = { ...checked, observations, missingIndex, declared: (name: string) => known.get(name) };
    const found = ALL.flatMap((lint) => [...lint(context)]);
    return LEVELS.flatMap((level) => found.filter((one) => one.level === level)).slice(0, MOST_FINDINGS);
  };
}
