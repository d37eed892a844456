import type { ObjectValue } from "#protocol/values";
import type { RuledPrincipal } from "../caller.ts";
import type { Action } from "../scopes.ts";

/** What `rules.tests.json` says, read: access-rules.md 11. */
export interface TestSuite {
  /** Epoch milliseconds that `$now` is for all tests; undefined: when they run. */
  readonly now: number | undefined;
  /** By name. */
  readonly users: ReadonlyMap<string, TestUser>;
  /** By collection. Each holds its `_id`. */
  readonly documents: ReadonlyMap<string, readonly ObjectValue[]>;
  readonly tests: readonly RuleTest[];
}

/** What is known of somebody. */
export type TestUser = Pick<Extract<RuledPrincipal, { kind: "user" }>, "id" | "guest" | "email" | "roles" | "claims">;

/** One test. Exactly one thing is expected of it. */
export interface RuleTest {
  readonly name: string;
  /** Undefined: nobody who is signed in. */
  readonly user: TestUser | undefined;
  /** From where the request comes. */
  readonly request: { readonly ip?: string; readonly origin?: string };
  readonly collection: string;
  readonly expects: Expectation;
}

export type Expectation =
  | { readonly kind: "can"; readonly attempt: Attempt }
  /** `because`: a part of the path of the clause that must be why. */
  | { readonly kind: "cannot"; readonly attempt: Attempt; readonly because: string | undefined }
  /** Exactly these. */
  | { readonly kind: "lists"; readonly ids: readonly string[] }
  /** `hides`: exactly the paths of the document that are withheld; undefined: whatever is. */
  | { readonly kind: "gets"; readonly id: string; readonly hides: readonly string[] | undefined };

/** `body` is JSON as a request would bring it. */
export type Attempt =
  | { readonly action: "list" }
  | { readonly action: Extract<Action, "get" | "delete">; readonly id: string }
  | { readonly action: "update"; readonly id: string; readonly body: unknown }
  | { readonly action: "create"; readonly body: ObjectValue };
