import type { DocumentStore } from "../../stores/document-store.ts";
import { factsOf, type RuledPrincipal } from "../caller.ts";
import { createLookupCache, type LookupCache, RequestLookups } from "../lookups.ts";
import type { Judgement, RequestRights, Rights } from "../rights.ts";
import type { Caller } from "../rule-binder.ts";
import type { RuleSet } from "../rule-tree.ts";

/** What one question about rights is judged with. */
export interface SimulatedRights extends Rights {
  readonly caller: Caller;
  /** The verdicts so far, in the order in which they were asked for. */
  readonly heard: readonly Judgement[];
  /** Forgets the verdicts: they are asked for again. */
  reset(): void;
}

export interface SimulationOptions {
  readonly store: Pick<DocumentStore, "find" | "distinct">;
  readonly cache: LookupCache;
  readonly rules: RuleSet;
  readonly principal: RuledPrincipal;
  /** Epoch milliseconds that `$now` is taken from. */
  readonly now: number;
}

/** Rights of somebody who does not ask: what createAuthorizer judges a simulation by. They never change. */
export function simulateRights({ store, cache, rules, principal, now }: SimulationOptions): SimulatedRights {
  const caller: Caller = { facts: factsOf(principal), now, lookups: new RequestLookups(store, cache) };
  const heard: Judgement[] = [];
  const request: RequestRights = {
    ...{ principal, rules, caller, current: true },
    heard: (judgement) => heard.push(judgement),
    confirm: async () => true,
  };
  return {
    ...{ caller, heard },
    of: () => request,
    rules: () => rules,
    reset: () => heard.splice(0),
    changed() {},
    close() {},
  };
}

/** How long the set lookups of a simulation took, in milliseconds, by where they stand. */
export type LookupTimes = ReadonlyMap<string, number>;

/** The lookups of simulations, shared by all callers of one request, and how long each took. */
export function createTimedLookups(
  store: Pick<DocumentStore, "distinct">,
): LookupCache & { readonly times: LookupTimes } {
  const cache = createLookupCache(store);
  const times = new Map<string, number>();
  return {
    ...cache,
    times,
    async read(lookup, where) {
      const began = performance.now();
      const values = await cache.read(lookup, where);
      times.set(lookup.at, performance.now() - began);
      return values;
    },
  };
}
