import { encodeValue, type ObjectValue } from "#protocol/values";
import type { DocumentStore } from "../stores/document-store.ts";
import type { Images } from "./bound-rule.ts";
import { factsOf, type RuledPrincipal } from "./caller.ts";
import { createLookupCache, type LookupCache, RequestLookups } from "./lookups.ts";
import type { Principal } from "./principal.ts";
import type { Caller, LastBound } from "./rule-binder.ts";
import type { Rule, RuleSet } from "./rule-tree.ts";
import type { Action } from "./scopes.ts";

/** Whose change may change what somebody may do, beside collections that lookups read. */
const PRINCIPALS: ReadonlySet<string> = new Set(["_users", "_admins", "_sessions", "_keys"]);

export interface RightsOptions {
  readonly store: DocumentStore;
  /** Those in force here. */
  readonly rules: () => RuleSet;
  readonly clock: () => number;
  /** Who a principal is now. @throws GalleyError `unauthenticated` if nobody any more */
  readonly renewed: (principal: Principal) => Principal | Promise<Principal>;
}

/** One verdict of the rules. */
export interface Judgement {
  readonly collection: string;
  readonly action: Action;
  readonly rule: Rule;
  /** Absent where nothing that is stored could change it. */
  readonly images?: Images;
  readonly allowed: boolean;
}

/** What a request has to do with rights: shared by all of its scopes. */
export interface RequestRights {
  readonly principal: Principal;
  readonly rules: RuleSet;
  readonly caller: Caller;
  /** Whether no right may have changed since this was made, or confirmed. */
  readonly current: boolean;
  /** Told of each verdict: for explanations. */
  readonly heard?: (judgement: Judgement) => void;
  /**
   * Takes rights as they are now.
   * @returns whether nothing that matters to this request had changed
   * @throws GalleyError `unauthenticated`
   */
  confirm(): Promise<boolean>;
}

/** Rights of requests, and when they change (access-rules.md 10). */
export interface Rights {
  /** Of the request that a principal was made for. */
  of(principal: Principal): RequestRights;
  readonly rules: () => RuleSet;
  /** A set of rules came into force. */
  changed(): void;
  close(): void;
}

export function createRights({ store, rules, clock, renewed }: RightsOptions): Rights {
  const cache = createLookupCache(store);
  /** Raised by every rights event that this node is told. */
  let epoch = 0;
  /** Raised by those that concern everybody: rules, and what lookups read. */
  let common = 0;
  const requests = new WeakMap<Principal, RequestRights>();

  const tail = store.tail(
    undefined,
    ({ changes, dropped = [] }) => {
      for (const { collection } of changes) written(collection);
      for (const collection of dropped) written(collection);
    },
    changed,
  );

  /** Called for every change of every commit. */
  function written(collection: string): void {
    if (PRINCIPALS.has(collection)) epoch++;
    if (!rules().rightsCollections.has(collection)) return;
    cache.forget(collection);
    epoch++;
    common++;
  }

  function changed(): void {
    cache.forget();
    epoch++;
    common++;
  }

  const sources: Sources = { store, cache, rules, clock, renewed, epoch: () => epoch, common: () => common };

  return {
    of(principal) {
      const known = requests.get(principal);
      if (known) return known;
      const made = new RightsNow(principal, sources);
      requests.set(principal, made);
      return made;
    },
    rules,
    changed,
    close: () => tail.close(),
  };
}

interface Sources extends RightsOptions {
  readonly cache: LookupCache;
  readonly epoch: () => number;
  readonly common: () => number;
}

/** Made for each request, so it is a class: closures with accessors would cost several times as much. */
class RightsNow implements RequestRights {
  principal: Principal;
  rules: RuleSet;
  readonly #sources: Sources;
  #at: number;
  #commonAt: number;
  /** Of keys and admins nothing of this is ever asked. */
  #caller: RequestCaller | undefined;

  constructor(principal: Principal, sources: Sources) {
    this.principal = principal;
    this.rules = sources.rules();
    this.#sources = sources;
    this.#at = sources.epoch();
    this.#commonAt = sources.common();
  }

  get caller(): Caller {
    this.#caller ??= new RequestCaller(this.principal, this.#sources);
    return this.#caller;
  }

  get current(): boolean {
    return this.#at === this.#sources.epoch();
  }

  async confirm(): Promise<boolean> {
    if (this.current) return true;
    const { epoch, common, renewed, rules } = this.#sources;
    const [turn, commonTurn] = [epoch(), common()];
    const fresh = await renewed(this.principal);
    const same = commonTurn === this.#commonAt && sameRights(this.principal, fresh);
    this.principal = fresh;
    this.rules = rules();
    this.#at = turn;
    this.#commonAt = commonTurn;
    if (!same) this.#caller?.become(fresh);
    return same;
  }
}

/** Who asks in one request. What it looks up is its own, and most look up nothing. */
class RequestCaller implements Caller {
  facts: ObjectValue;
  last: LastBound = {};
  readonly now: number;
  readonly #sources: Sources;
  #lookups: RequestLookups | undefined;

  constructor(principal: Principal, sources: Sources) {
    this.facts = factsOf(ruled(principal));
    this.now = sources.clock();
    this.#sources = sources;
  }

  get lookups(): RequestLookups {
    this.#lookups ??= new RequestLookups(this.#sources.store, this.#sources.cache);
    return this.#lookups;
  }

  become(principal: Principal): void {
    this.#lookups?.renew();
    this.facts = factsOf(ruled(principal));
    this.last = {};
  }
}

/** Scopes of keys and admins need no facts. */
export function ruled(principal: Principal): RuledPrincipal {
  return principal.kind === "key" || principal.kind === "admin"
    ? { kind: "anonymous", address: principal.address }
    : principal;
}

/** Whether no rule or scope can tell the two apart. */
export function sameRights(one: Principal, other: Principal): boolean {
  if (one.kind === "key" || one.kind === "admin") {
    return (other.kind === "key" || other.kind === "admin") && one.scopes.texts.join() === other.scopes.texts.join();
  }
  return encodeValue(factsOf(one)) === encodeValue(factsOf(ruled(other)));
}
