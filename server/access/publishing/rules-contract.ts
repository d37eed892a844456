import type { AdminScope } from "../authorize.ts";
import type { RuleFault } from "../parsing/rule-faults.ts";
import type { Finding, TestResult } from "./rule-findings.ts";
import type { RuleAuthor } from "./rule-versions.ts";

/** A set as it is sent: `rules.json`, and `rules.tests.json` if there is one. */
export interface RulesBody {
  readonly rules: unknown;
  readonly tests?: unknown;
}

export interface PublishBody extends RulesBody {
  /** The version it was made from; 0: nothing was published. */
  readonly ifVersion: number;
  /** Ids of warnings that were read. */
  readonly acknowledge?: readonly string[];
  readonly note?: string;
}

/** Times are ISO 8601. */
export interface ShownInfo {
  readonly version: number;
  readonly by: RuleAuthor;
  readonly at: string;
  readonly note: string;
}

/** One version; of version 0, which is none, `rules` is null. */
export interface ShownVersion extends Partial<ShownInfo> {
  readonly version: number;
  readonly rules: unknown;
  readonly tests: unknown;
  /** Why this Galley cannot use it: everything is closed. Absent if it can. */
  readonly faults?: readonly RuleFault[];
}

export interface CheckReport {
  readonly faults: readonly RuleFault[];
  readonly findings: readonly Finding[];
  readonly tests: readonly TestResult[];
}

export interface Published extends ShownInfo {
  readonly findings: readonly Finding[];
  readonly tests: readonly TestResult[];
}

/** From where a request came, for the audit line. */
export interface RulesVisit {
  readonly address: string;
  readonly userAgent: string;
  readonly requestId: string;
}

/** Publishing of access rules: what `/v1/admin/rules` serves (access-rules.md 10). */
export interface RulesService {
  current(scope: AdminScope): Promise<ShownVersion>;
  /** Newest first. @throws GalleyError `invalid_argument` */
  versions(
    scope: AdminScope,
    page: { readonly after?: string | undefined; readonly limit?: number | string | undefined },
  ): Promise<{ versions: readonly ShownInfo[]; next?: string }>;
  /** @throws GalleyError `not_found` */
  version(scope: AdminScope, version: string): Promise<ShownVersion>;
  /** What publishing would say. Stores nothing. */
  check(scope: AdminScope, body: RulesBody): Promise<CheckReport>;
  /**
   * Puts a set in force: on every node once this is answered.
   *
   * @throws GalleyError `invalid_argument` with every fault, `failed_precondition` with what blocks it, `version_conflict`
   *   with what somebody else has changed since `ifVersion`
   */
  publish(scope: AdminScope, body: PublishBody, visit: RulesVisit): Promise<Published>;
  /**
   * Publishes an old set as a new version. Its warnings count as acknowledged: they were when it was published.
   * @throws GalleyError `not_found`, else as `publish`
   */
  rollback(
    scope: AdminScope,
    body: { readonly version: number; readonly note?: string },
    visit: RulesVisit,
  ): Promise<Published>;
}
