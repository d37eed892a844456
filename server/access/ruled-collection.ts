import type { Node } from "#protocol/ast";
import { isCollectionName } from "#protocol/batch";
import { GalleyError } from "#protocol/errors";
import { type BoundRule, CLOSED_RULE, type Images } from "./bound-rule.ts";
import type { Overlay } from "./lookups.ts";
import { type Masks, NO_MASKS } from "./masks/masks.ts";
import { bindReadMasks, NO_READ_MASKS, type ReadMasks } from "./read-masks.ts";
import { RequestedCollection } from "./requested-collection.ts";
import { bindMasks, bindRule, existsFor, isForbidden, Unsettled } from "./rule-binder.ts";
import type { CollectionRules, Rule, RuleSet } from "./rule-tree.ts";
import type { Action } from "./scopes.ts";

/** One collection as the rules open it to one request. Errors deny: whatever throws here allows nothing. */
export class RuledCollection extends RequestedCollection {
  readonly exempt = false;
  readonly mayDeclare = false;
  #from: RuleSet | undefined;
  #found: CollectionRules | undefined;

  demand(action: Action): void {
    this.#demandRule(action, this.#rule(action, false));
    if (action === "update") this.#demandRule(action, this.#rule(action, true));
  }

  #demandRule(action: Action, rule: Rule | undefined): void {
    if (rule && !isForbidden(rule, this.request.caller, action === "list")) return;
    this.request.heard?.({ collection: this.collection, action, rule: rule ?? CLOSED_RULE.rule, allowed: false });
    throw this.#forbidden(rule);
  }

  get filter(): Node {
    return this.#bound("list", false).filter;
  }

  filterOfIds(): Node {
    const action = this.#rule("get", false)?.perDocument ? "list" : "get";
    this.demand(action);
    const rule = this.#rule(action, false) ?? CLOSED_RULE.rule;
    return bindRule(rule, this.request.caller, true).filter;
  }

  allows(action: Action, images: Images): boolean {
    const bound = this.#bound(action, action === "update" && images.before !== undefined);
    const verdict = bound.holds(images, (lookup, document) =>
      existsFor(bound.rule, lookup, document, this.request.caller),
    );
    if (verdict === undefined) throw new Unsettled();
    this.request.heard?.({ collection: this.collection, action, rule: bound.rule, images, allowed: verdict });
    return verdict;
  }

  always(action: Action): boolean {
    return this.#bound(action, false).always && (action !== "update" || this.#bound(action, true).always);
  }

  see(overlay: Overlay | undefined): void {
    this.request.caller.lookups.see(overlay);
  }

  settle(): Promise<void> {
    return this.request.caller.lookups.settle();
  }

  get masks(): Masks {
    const rules = this.#rules;
    return rules ? bindMasks(rules, this.request.caller) : NO_MASKS;
  }

  get readMasks(): ReadMasks {
    const rules = this.#rules;
    return rules ? bindReadMasks(rules, this.request.caller) : NO_READ_MASKS;
  }

  /** A request asks for them several times, and may be judged by others in the end. */
  get #rules(): CollectionRules | undefined {
    const { rules } = this.request;
    if (rules !== this.#from) {
      this.#from = rules;
      this.#found = isCollectionName(this.collection) ? rules.collections.get(this.collection) : undefined;
    }
    return this.#found;
  }

  #rule(action: Action, after: boolean): Rule | undefined {
    const rules = this.#rules;
    if (!rules) return undefined;
    if (action !== "update") return rules[action];
    return after ? rules.update.after : rules.update.before;
  }

  #bound(action: Action, after: boolean): BoundRule {
    const rule = this.#rule(action, after);
    return rule ? bindRule(rule, this.request.caller, action === "list") : CLOSED_RULE;
  }

  #forbidden(rule: Rule | undefined): GalleyError {
    const { principal } = this.request;
    if (principal.kind === "anonymous" && rule && mentionsCaller(rule)) {
      return new GalleyError("unauthenticated", "this needs someone who is signed in: send `Authorization: Bearer …`");
    }
    return new GalleyError("permission_denied", "the access rules do not allow this");
  }
}

function mentionsCaller({ variables, lookups }: Rule): boolean {
  const mentions = (names: readonly string[]) => names.some((name) => name.startsWith("$auth."));
  return mentions(variables) || [...lookups.values()].some((lookup) => mentions(lookup.variables));
}
