import type { ObjectValue } from "#protocol/values";
import type { DocumentStore } from "../../stores/document-store.ts";
import type { Scope } from "../authorize.ts";
import { createAuthorizer } from "../authorize.ts";
import type { RuledPrincipal } from "../caller.ts";
import { type SimulatedRights, simulateRights } from "../explaining/simulated-rights.ts";
import { createLookupCache } from "../lookups.ts";
import type { RuleSet } from "../rule-tree.ts";

/**
 * A Galley that tests are tried on: a store of its own with the documents of the tests in it. Writes are computed and judged
 * as everywhere and then not stored, so that no test sees another's.
 */
export interface TestedGalley {
  readonly documents: TestedDocuments;
  readonly store: Pick<DocumentStore, "get" | "find" | "distinct">;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  close(): Promise<void>;
}

/** What of the document service tests ask; bodies are JSON as in requests. */
interface TestedDocuments {
  get(scope: Scope, id: string, read: Reading): Promise<{ readonly text: string } | undefined>;
  find(
    scope: Scope,
    request: Reading & { readonly limit: number; readonly after?: string | undefined },
  ): Promise<{ readonly documents: readonly string[]; readonly next?: string }>;
  create(scope: Scope, body: unknown, write: object): Promise<unknown>;
  update(scope: Scope, id: string, body: unknown, write: object): Promise<unknown>;
  delete(scope: Scope, id: string, write: object): Promise<unknown>;
}

interface Reading {
  readonly signal: { readonly aborted: boolean };
}

/** Opens one. @param now epoch milliseconds that its time stands still at; undefined: it goes on */
export type OpenTested = (setting: {
  /** All that are asked for, or hold documents. */
  readonly collections: Iterable<string>;
  readonly documents: ReadonlyMap<string, readonly ObjectValue[]>;
  readonly now: number | undefined;
}) => Promise<TestedGalley>;

/** Somebody in a collection of a tested Galley, and what is known of them. */
export interface Visitor {
  readonly scope: Scope;
  readonly rights: SimulatedRights;
}

/** Brings somebody in. Nobody is known from another test: what a request remembers of lookups is theirs. */
export function visit(
  { store, clock }: TestedGalley,
  { rules, principal, collection }: { rules: RuleSet; principal: RuledPrincipal; collection: string },
): Visitor {
  const rights = simulateRights({ store, cache: createLookupCache(store), rules, principal, now: clock() });
  return { scope: createAuthorizer(rights).scope(principal, collection), rights };
}
