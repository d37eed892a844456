import { Faults, GalleyError } from "#protocol/errors";
import { LIMITS } from "#protocol/limits";
import type { DocumentStore, Position, Write } from "../../stores/document-store.ts";
import type { AdminScope } from "../authorize.ts";
import type { RuleFault } from "../parsing/rule-faults.ts";
import { parseRules } from "../parsing/rules.ts";
import type { Principal } from "../principal.ts";
import type { RuleSet } from "../rule-tree.ts";
import { type RuleChange, ruleChanges } from "./rule-changes.ts";
import { type CheckedRules, demandPublishable, type Lints, type RunTests } from "./rule-findings.ts";
import {
  DamagedRules,
  jsonOf,
  type Pointer,
  RULES,
  type RuleAuthor,
  readHistory,
  readPointer,
  readVersion,
  type StoredVersion,
  type VersionInfo,
  versionWrites,
} from "./rule-versions.ts";
import type {
  CheckReport,
  Published,
  RulesBody,
  RulesService,
  RulesVisit,
  ShownInfo,
  ShownVersion,
} from "./rules-contract.ts";

export interface RulesServiceOptions {
  readonly store: DocumentStore;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  readonly lints: Lints;
  readonly runTests: RunTests;
  /** Declares a collection, if it is not there, without schema and indexes. */
  readonly declare: (collection: string) => Promise<unknown>;
  /** Whether somebody may still do what they could. @throws GalleyError if not */
  readonly demandStanding: (principal: Principal) => Promise<void>;
  /** How people know who somebody is; undefined if nothing is known. */
  readonly authorName: (principal: Principal) => Promise<string | undefined>;
  /** The write of an audit line, for the commit of what it tells. */
  readonly auditLine: (event: {
    readonly action: string;
    readonly by: string;
    readonly visit: RulesVisit;
    readonly details: Readonly<Record<string, string | number>>;
  }) => Write;
}

/** UTF-8 bytes of the rules, and of their tests, as JSON. */
const MAX_BYTES = 1024 * 1024;

interface Candidate {
  readonly action: "rules-published" | "rules-rolled-back";
  readonly body: RulesBody;
  readonly acknowledged: readonly string[] | "all";
  readonly note: string;
}

export function createRulesService(options: RulesServiceOptions): RulesService {
  const { store, clock, lints, runTests, declare, demandStanding } = options;

  return {
    async current() {
      const { version } = await pointerNow();
      return version === 0 ? { version, rules: null, tests: null } : shown(await versionNow(version));
    },

    async versions(_scope, { after, limit = LIMITS.pageDefault }) {
      const faults = new Faults();
      if (!Number.isInteger(limit) || Number(limit) < 1 || Number(limit) > LIMITS.pageMax) {
        faults.add("limit", "bad_value", `expects a whole number from 1 to ${LIMITS.pageMax}`);
      }
      if (after !== undefined && !isVersion(after)) faults.add("after", "bad_value", "expects the `next` of a page");
      faults.throwIfAny();
      const newest = (await pointerNow()).version + 1;
      const infos = await readHistory(store, Math.min(Number(after ?? newest), newest), Number(limit));
      const last = infos.at(-1)?.version ?? 1;
      return { versions: infos.map(shownInfo), ...(last > 1 && { next: String(last) }) };
    },

    async version(_scope, version) {
      return shown(await versionNow(isVersion(version) ? Number(version) : 0));
    },

    async check(_scope, body) {
      const { faults, checked } = read(body, 0);
      if (faults.length > 0) return { faults, findings: [], tests: [] };
      try {
        return { faults, ...(await judged(checked, body.tests)) };
      } catch (error) {
        return { faults: faultsOf(error), findings: [], tests: [] };
      }
    },

    async publish(scope, body, visit) {
      const { ifVersion, acknowledge = [], note = "" } = body;
      const pointer = await pointerNow();
      const candidate: Candidate = { action: "rules-published", body, acknowledged: acknowledge, note };
      return publish(scope, pointer, ifVersion, candidate, visit);
    },

    async rollback(scope, { version, note = `version ${version} again` }, visit) {
      const pointer = await pointerNow();
      const { rules, tests } = contentOf(await versionNow(version));
      const candidate: Candidate = { action: "rules-rolled-back", body: { rules, tests }, acknowledged: "all", note };
      return publish(scope, pointer, pointer.version, candidate, visit);
    },
  };

  async function publish(
    { principal }: AdminScope,
    pointer: Pointer,
    base: number,
    { action, body, acknowledged, note }: Candidate,
    visit: RulesVisit,
  ): Promise<Published> {
    const version = pointer.version + 1;
    const { faults, checked } = read(body, version);
    if (faults.length > 0) throw invalid(faults);
    if (base !== pointer.version) throw await conflict(base, pointer.version);
    const { findings, tests } = await judged(checked, body.tests);
    demandPublishable(findings, tests, acknowledged);
    const by = await authorOf(principal);
    // Tests take their time: nobody keeps a right by what was under way when it ended (10.2).
    await demandStanding(principal);
    for (const name of namedCollections(checked.rules)) await declare(name);
    const text = body.tests == null ? undefined : JSON.stringify(body.tests);
    const next: StoredVersion = {
      ...{ version, by, at: new Date(clock()), note: note.toWellFormed() },
      ...{ rules: JSON.stringify(body.rules), tests: text },
    };
    const line = options.auditLine({ action, by: by.id, visit, details: { version, note } });
    await demandStanding(principal);
    await store.barrier(await commit([...versionWrites(store, pointer, next), line], base));
    return { ...shownInfo(next), findings, tests };
  }

  /** @throws GalleyError `version_conflict` if somebody else has published meanwhile */
  async function commit(writes: readonly Write[], base: number): Promise<Position> {
    // A collection that another program has just dropped would fail each publish until it is made again.
    await store.ensureCollection(RULES);
    try {
      return await store.commit(writes);
    } catch (error) {
      if (!(error instanceof GalleyError) || error.code !== "version_conflict") throw error;
      throw await conflict(base, (await pointerNow()).version);
    }
  }

  async function judged(checked: CheckedRules, tests: unknown): Promise<Omit<CheckReport, "faults">> {
    const run = tests == null ? undefined : await runTests(checked, tests);
    return { findings: await lints(checked, run?.observations), tests: run?.results ?? [] };
  }

  async function conflict(base: number, now: number): Promise<GalleyError> {
    const message = `version ${now} of the rules is in force, not ${base}: read what was changed, then publish again`;
    const [before, after] = await Promise.all([base, now].map((version) => orUndefined(versionNow(version))));
    return new GalleyError("version_conflict", message, {
      ...{ outcome: "not_applied", version: now },
      ...(after && shownInfo(after)),
      // From a version that was never here, nothing can be told.
      ...(after && (before || base === 0) && { changed: changesBetween(before, after) }),
    });
  }

  async function pointerNow(): Promise<Pointer> {
    return whole(readPointer(store));
  }

  /** @throws GalleyError `not_found` */
  async function versionNow(version: number): Promise<StoredVersion> {
    const stored = version > 0 ? await whole(readVersion(store, version)) : undefined;
    if (stored) return stored;
    throw new GalleyError("not_found", "there is no such version of the rules", { outcome: "not_applied" });
  }

  async function authorOf(principal: Principal): Promise<RuleAuthor> {
    const { kind } = principal;
    const id = kind === "anonymous" ? kind : principal.id;
    return { kind, id, name: (await options.authorName(principal))?.toWellFormed() ?? null };
  }
}

function read({ rules, tests }: RulesBody, version: number): { faults: readonly RuleFault[]; checked: CheckedRules } {
  const { rules: set, faults } = parseRules(rules, version);
  const more: RuleFault[] = [];
  if (tests != null && (typeof tests !== "object" || Array.isArray(tests))) {
    more.push({
      path: "tests",
      code: "wrong_type",
      message: "tests: expects an object with users, documents and tests",
    });
  }
  for (const [path, value] of Object.entries({ rules, tests })) {
    if (faults.length > 0 || value === undefined || Buffer.byteLength(JSON.stringify(value)) <= MAX_BYTES) continue;
    more.push({ path, code: "too_large", message: `${path}: expects at most ${MAX_BYTES} bytes of JSON` });
  }
  return { faults: [...faults, ...more], checked: { source: rules, rules: set } };
}

function namedCollections({ collections, rightsCollections }: RuleSet): string[] {
  return [...new Set([...collections.keys(), ...rightsCollections])];
}

function invalid(faults: readonly RuleFault[]): GalleyError {
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : "";
  return new GalleyError("invalid_argument", `${faults[0]?.message}${more}`, { faults, outcome: "not_applied" });
}

/** The faults of tests, which only who runs them finds. @throws the error, if it is another */
function faultsOf(error: unknown): readonly RuleFault[] {
  if (error instanceof GalleyError && error.code === "invalid_argument" && error.details.faults) {
    return error.details.faults as readonly RuleFault[];
  }
  throw error;
}

function changesBetween(before: StoredVersion | undefined, after: StoredVersion): readonly RuleChange[] {
  const [was, is] = [before && contentOf(before), contentOf(after)];
  const changes = ruleChanges(was?.rules ?? {}, is.rules);
  return before?.tests === after.tests ? changes : [...changes, { path: "tests", kind: "changed" }];
}

function shown(stored: StoredVersion): ShownVersion {
  const { rules, tests } = contentOf(stored);
  const { faults } = parseRules(rules, stored.version);
  return { ...shownInfo(stored), rules, tests, ...(faults.length > 0 && { faults }) };
}

function shownInfo({ version, by, at, note }: VersionInfo): ShownInfo {
  return { version, by, at: at.toISOString(), note };
}

/** @throws GalleyError `failed_precondition` */
function contentOf({ rules, tests }: StoredVersion): { rules: unknown; tests: unknown } {
  try {
    return { rules: jsonOf(rules), tests: tests === undefined ? null : jsonOf(tests) };
  } catch (error) {
    throw damage(error);
  }
}

async function whole<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    throw damage(error);
  }
}

function damage(error: unknown): unknown {
  if (!(error instanceof DamagedRules)) return error;
  const message =
    "the stored rules are damaged, so everything is closed: publish them again, or restore `_rules` from a backup";
  return new GalleyError("failed_precondition", message, { reason: "rules_damaged", outcome: "not_applied" }, error);
}

async function orUndefined<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof GalleyError && (error.code === "not_found" || error.code === "failed_precondition"))
      return undefined;
    throw error;
  }
}

function isVersion(text: string): boolean {
  return /^[1-9][0-9]{0,9}$/.test(text);
}
