import type { Json } from "./document.ts";

/** Why somebody may, or may not. Needs `admin:rules:read`, and the scopes to `get` what is shown. */
export interface AdminExplanations {
  /**
   * Judges a request that nobody sends, and tells why.
   *
   * @example
   * const { verdict, summary } = await admin(db).rules.simulate({
   *   as: { userId: "u2" }, action: "update", collection: "posts", id: "p1", update: { title: "b" },
   * });
   */
  simulate(question: RulesQuestion): Promise<Explanation>;
  /**
   * Which of up to 1,000 users may get a document.
   *
   * @example const { users, anonymous } = await admin(db).rules.who({ collection: "posts", id: "p1" });
   */
  who(document: { collection: string; id: string }): Promise<{
    readonly anonymous: boolean;
    /** Their ids. */
    readonly users: readonly string[];
    readonly checked: number;
    /** There are further users, who were not judged. */
    readonly more: boolean;
    readonly rulesVersion: number;
  }>;
  /**
   * What a draft would change, by identity, collection and action.
   *
   * @example const { changes } = await admin(db).rules.impact({ rules: draft, as: [{ anonymous: true }] });
   */
  impact(values: {
    rules: Json;
    as: readonly Identity[];
    /** Documents of each collection that are looked at, 1,000 by default and at most. */
    sample?: number | undefined;
  }): Promise<{ readonly changes: readonly RulesImpact[]; readonly rulesVersion: number }>;
  /**
   * Why a request was denied, by the `requestId` of its error. Records are kept for a day, ten a second at most.
   *
   * @example const { now, changed } = await admin(db).rules.denial(error.requestId);
   * @throws ApiError `not_found`
   */
  denial(requestId: string): Promise<DenialReview>;
}

/** Nobody, a person, or somebody made up. */
export type Identity =
  | { anonymous: true }
  | { userId: string }
  | {
      id?: string;
      guest?: boolean;
      /** As if it were proven. */
      email?: string;
      roles?: readonly string[];
      claims?: { readonly [name: string]: Json };
    };

export interface RulesQuestion {
  as: Identity;
  action: "list" | "get" | "create" | "update" | "delete";
  collection: string;
  id?: string | undefined;
  /** In place of what is stored; of a create, what is created. */
  document?: object | undefined;
  /** As a PATCH. */
  update?: object | undefined;
  /** As a PUT. */
  next?: object | undefined;
  /** Of a list. */
  filter?: object | undefined;
  request?: { ip?: string; origin?: string } | undefined;
  /** ISO 8601; now by default. */
  at?: string | undefined;
  /** A draft, in place of the rules in force. */
  rules?: Json | undefined;
}

/** A verdict with all that led to it. In development mode an error's `details.why` is one. */
export interface Explanation {
  /** `unknown`: a document would tell, and none was given. */
  readonly verdict: "allow" | "deny" | "unknown";
  readonly status?: number;
  readonly code?: string;
  /** The path of the clause that would turn the verdict; a list, if it takes none or several. */
  readonly because: string | readonly string[];
  readonly summary: string;
  readonly tree: ExplainedClause;
  readonly poisoned: readonly { readonly path: string; readonly variable: string; readonly reason: string }[];
  readonly lookups: readonly ExplainedLookup[];
  readonly fields: {
    readonly hidden: readonly string[];
    readonly readOnly: readonly string[];
    readonly notQueryable: readonly string[];
    readonly changed: readonly string[];
  };
  /** Of a list. */
  readonly plan?: {
    readonly filter: object;
    /** Whether documents are read one after the other, since no index serves the filter. */
    readonly scan: boolean;
    /** The paths of those that are read. */
    readonly indexes: readonly (readonly string[])[];
    /** The index that would serve it. */
    readonly advice?: { readonly index: { readonly paths: readonly string[] } };
  };
  readonly rulesVersion: number;
}

export interface ExplainedClause {
  readonly path: string;
  readonly op: string;
  /** null: a document would tell, and none was given. */
  readonly value: boolean | null;
  readonly children?: readonly ExplainedClause[];
  readonly field?: string;
  readonly negated?: true;
  readonly operand?: { readonly variable?: string; readonly value?: unknown };
  /** At most 20 values. */
  readonly found?: readonly unknown[];
  readonly poisoned?: { readonly variable: string; readonly reason: string };
}

/** A set lookup with its values, at most 20 of them; or whether an exists lookup has `found` something. */
export interface ExplainedLookup {
  readonly name: string;
  readonly from: string;
  readonly count?: number;
  readonly values?: readonly unknown[];
  readonly overflow?: boolean;
  readonly ms?: number;
  readonly found?: boolean;
}

export interface RulesImpact {
  /** The place of the identity in the request. */
  readonly as: number;
  readonly collection: string;
  readonly action: string;
  readonly now: number;
  readonly then: number;
  readonly gained: number;
  readonly lost: number;
  readonly examples: { readonly gained: readonly string[]; readonly lost: readonly string[] };
  readonly sampled: number;
}

export interface DenialReview {
  readonly denial: {
    readonly requestId: string;
    readonly at: string;
    readonly principal: { readonly kind: string; readonly id: string };
    readonly action: string;
    readonly collection: string;
    readonly id?: string;
    readonly code: string;
    readonly rulesVersion: number;
    /** SHA-256 of what was sent. */
    readonly payload?: string;
  };
  /** Since then. `document` is null if there is none now. */
  readonly changed: { readonly rules: boolean; readonly document: boolean | null };
  /** What is answered now; null: the person is gone. */
  readonly now: Explanation | null;
}
