import type { Json } from "./document.ts";
import type { AdminExplanations } from "./explain.ts";

export type * from "./explain.ts";

/** Access rules, their tests and versions. Scopes `admin:rules:read` and `:write`. */
export interface AdminRules extends AdminExplanations {
  /** Those in force; version 0: none were published. */
  current(): Promise<RulesVersion>;
  /** A page, newest first. */
  versions(options?: {
    /** The `next` of the page before. */
    after?: string | undefined;
    limit?: number | undefined;
  }): Promise<{ versions: RulesInfo[]; next?: string }>;
  /** @throws ApiError `not_found` */
  version(version: number): Promise<RulesVersion>;
  /**
   * What publishing would say. Stores nothing.
   *
   * @example const { faults, findings, tests } = await admin(db).rules.check({ rules });
   */
  check(set: RulesSet): Promise<RulesReport>;
  /**
   * Puts rules in force, on every server once this resolves. A member that is `undefined` is refused, at any depth: a rule
   * without it would allow more.
   *
   * @example
   * const { version } = await admin(db).rules.current();
   * await admin(db).rules.publish({ rules, ifVersion: version, note: "editors may delete" });
   * @throws ApiError `invalid_argument` with every fault; `failed_precondition` with the findings and red tests that stand
   *   in the way; `version_conflict` with what somebody else has `changed` since `ifVersion`
   */
  publish(
    values: RulesSet & {
      /** The version that the rules were made from; 0: none was published. */
      ifVersion: number;
      /** Ids of warnings that were read: they do not stand in the way. */
      acknowledge?: readonly string[] | undefined;
      note?: string | undefined;
    },
  ): Promise<RulesInfo & Omit<RulesReport, "faults">>;
  /**
   * Publishes an old version as a new one.
   *
   * @example await admin(db).rules.rollback({ version: 11, note: "guests could write" });
   */
  rollback(values: { version: number; note?: string | undefined }): Promise<RulesInfo & Omit<RulesReport, "faults">>;
}

/** What `rules.json` and `rules.tests.json` hold. */
export interface RulesSet {
  rules: Json;
  tests?: Json | null | undefined;
}

export interface RulesInfo {
  readonly version: number;
  readonly by: { readonly kind: string; readonly id: string; readonly name: string | null };
  readonly at: string;
  readonly note: string;
}

/** One version. Who, when and why are absent from version 0. */
export interface RulesVersion extends Partial<RulesInfo> {
  readonly version: number;
  /** null: none. */
  readonly rules: Json | null;
  readonly tests: Json | null;
  /** Why this server cannot use them: everything is closed. Absent if it can. */
  readonly faults?: readonly RulesFault[];
}

export interface RulesFault {
  readonly path: string;
  readonly code: string;
  readonly message: string;
}

export interface RulesFinding {
  readonly id: string;
  /** An error stands in the way of publishing, a warning until it is acknowledged. */
  readonly level: "error" | "warning" | "note";
  readonly path: string;
  readonly message: string;
  readonly fix?: unknown;
}

export interface RulesReport {
  readonly faults: readonly RulesFault[];
  readonly findings: readonly RulesFinding[];
  readonly tests: readonly { readonly name: string; readonly passed: boolean; readonly message?: string }[];
}
