import type { ScopeSet } from "./scopes.ts";

/** Who calls, as identify.ts found out; access-rules.md 1. Users and admins join with the accounts issue. */
export type Principal =
  | { readonly kind: "anonymous"; readonly address: string }
  | { readonly kind: "key"; readonly id: string; readonly scopes: ScopeSet; readonly address: string };
