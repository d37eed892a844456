import type { Finding, Lints } from "../publishing/rule-findings.ts";
import { bucketLints } from "./buckets.ts";
import { callerLints, roleLints } from "./caller.ts";
import { clauseLints } from "./clauses.ts";
import { hiddenLints } from "./hidden.ts";
import { indexLints } from "./indexes.ts";
import type { Declared, Lint, MissingIndex } from "./lint.ts";
import { lookupLints } from "./lookups.ts";
import { nameLints } from "./names.ts";
import { openLints } from "./open.ts";
import { ownershipLints } from "./ownership.ts";
import { seeingLints } from "./seeing.ts";

/** Findings of one id: one that is told in a hundred places needs no more of them, and none hides another. */
const MOST_OF_ONE = 100;
const LEVELS: readonly Finding["level"][] = ["error", "warning", "note"];
const ALL: readonly Lint[] = [
  ...[openLints, seeingLints, lookupLints, ownershipLints, callerLints, roleLints],
  ...[hiddenLints, indexLints, bucketLints, nameLints, clauseLints],
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
    return LEVELS.flatMap((level) => fewOfEach(found.filter((one) => one.level === level)));
  };
}

function fewOfEach(findings: readonly Finding[]): Finding[] {
  const counts = new Map<string, number>();
  return findings.filter(({ id }) => {
    const count = (counts.get(id) ?? 0) + 1;
    counts.set(id, count);
    return count <= MOST_OF_ONE;
  });
}
