import type { Faults } from "#protocol/errors";
import type { Lookup } from "../rule-tree.ts";
import type { RulePlaces } from "./rule-places.ts";

/** What a part of a set of rules is read with: the whole set's, and the names that it may use. */
export interface RuleScope {
  readonly faults: Faults;
  readonly places: RulePlaces;
  readonly budget: Budget;
  readonly macros: Names<Macro>;
  readonly lookups: Names<LookupEntry>;
  /** Collections that a lookup reads; added to as lookups are read. */
  readonly rights: Set<string>;
}

export interface Macro {
  readonly name: string;
  readonly body: unknown;
  /** Of its JSON. */
  readonly bytes: number;
  /** Whether it or one that it uses has a fault. Nothing more is said where it is used. */
  broken: boolean;
  /** How many macros deep it is, itself included. */
  height: number;
}

export interface LookupEntry {
  readonly name: string;
  readonly isSet: boolean;
  /** Undefined until it is read, and if it has a fault. */
  lookup: Lookup | undefined;
}

/** Names of one collection, which win over those that are shared. */
export class Names<T> {
  readonly own: ReadonlyMap<string, T>;
  readonly #shared: Names<T> | undefined;

  constructor(own: ReadonlyMap<string, T>, shared?: Names<T>) {
    this.own = own;
    this.#shared = shared;
  }

  get(name: string): T | undefined {
    return this.own.get(name) ?? this.#shared?.get(name);
  }

  *all(): Generator<string> {
    yield* this.own.keys();
    if (this.#shared) yield* this.#shared.all();
  }
}

/** How many bytes a part may have once its macros are expanded. */
export interface Budget {
  /** Whether so many bytes more are still within it; the first time not, there is a fault. */
  spend(bytes: number): boolean;
}

/** @param spent by what stands there before anything is expanded; it is charged here only, not to what it is `within` */
export function createBudget(limit: number, spent: number, at: string, faults: Faults, within?: Budget): Budget {
  let left = limit;
  const charge = (bytes: number) => {
    const had = left >= 0;
    left -= bytes;
    if (had && left < 0) faults.add(at, "too_large", `is larger than ${limit} bytes of JSON with its macros expanded`);
    return left >= 0;
  };
  charge(spent);
  return { spend: (bytes) => charge(bytes) && within?.spend(bytes) !== false };
}
