import type { ObjectValue } from "#protocol/values";
import { factsOf } from "./caller.ts";
import type { Lookups } from "./lookups.ts";
import type { Principal } from "./principal.ts";
import { type RequestRights, ruled, sameRights } from "./rights.ts";
import type { Caller } from "./rule-binder.ts";
import type { RuleSet } from "./rule-tree.ts";

export interface StandingOptions {
  /** Those in force, looked at with each verdict. */
  readonly rules: () => RuleSet;
  /** Epoch milliseconds. Asked only where a verdict depends on it. */
  readonly now: () => number;
  readonly lookups: Lookups;
}

/**
 * Rights of one who goes on to be shown something: each verdict is by what is right in that moment. When to ask for
 * another one is for whoever asks to know: nothing here follows commits.
 */
export class StandingRights implements RequestRights, Caller {
  /** Whoever shows something stops before it is out of date. */
  readonly current = true;
  readonly lookups: Lookups;
  readonly #rules: () => RuleSet;
  readonly #now: () => number;
  #principal: Principal;
  #facts: ObjectValue;

  constructor(principal: Principal, { rules, now, lookups }: StandingOptions) {
    this.lookups = lookups;
    this.#rules = rules;
    this.#now = now;
    this.#principal = principal;
    this.#facts = factsOf(ruled(principal));
  }

  get principal(): Principal {
    return this.#principal;
  }

  get rules(): RuleSet {
    return this.#rules();
  }

  get caller(): Caller {
    return this;
  }

  get facts(): ObjectValue {
    return this.#facts;
  }

  get now(): number {
    return this.#now();
  }

  async confirm(): Promise<boolean> {
    return true;
  }

  /** @returns whether verdicts may differ from now on */
  become(principal: Principal): boolean {
    const same = sameRights(this.#principal, principal);
    this.#principal = principal;
    if (!same) this.#facts = factsOf(ruled(principal));
    return !same;
  }
}
