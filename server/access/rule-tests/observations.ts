import { compileFilter } from "#protocol/match";
import type { Row } from "../../stores/document-store.ts";
import type { Scope } from "../authorize.ts";
import { type Trace, traceRule } from "../explaining/trace.ts";
import type { Judgement } from "../rights.ts";
import type { Caller } from "../rule-binder.ts";
import type { RuleSet } from "../rule-tree.ts";
import { settled } from "./settled.ts";

/** What was seen of rules while their tests ran: what lints know beside the rules themselves. */
export interface Observations {
  /** By the place of a clause: whether it was seen to hold, and not to. */
  readonly clauses: ReadonlyMap<string, { readonly held: boolean; readonly failed: boolean }>;
  /** Documents of the tests that somebody may list and not get. */
  readonly listedOnly: readonly ListedOnly[];
}

export interface ListedOnly {
  readonly collection: string;
  readonly id: string;
  /** Undefined: anybody who is not signed in. */
  readonly user: string | undefined;
}

/** Notes what clauses say while tests run. */
export class Observer implements Observations {
  readonly clauses = new Map<string, { held: boolean; failed: boolean }>();
  readonly listedOnly: ListedOnly[] = [];
  readonly #rules: RuleSet;

  constructor(rules: RuleSet) {
    this.#rules = rules;
  }

  async see({ rule, action, images }: Judgement, caller: Caller): Promise<void> {
    const question = { rules: this.#rules, rule, caller, images, ticks: action === "list" };
    this.#note(await settled(caller, () => traceRule(question)));
  }

  #note({ path, value, children }: Trace): void {
    if (children) for (const child of children) this.#note(child);
    else if (value !== null) {
      const seen = this.clauses.get(path);
      this.clauses.set(path, { held: value || seen?.held === true, failed: !value || seen?.failed === true });
    }
  }

  /** Looks for a document that one caller may list and not get: one is enough. */
  async compare(scope: Scope, caller: Caller, rows: readonly Row[]): Promise<void> {
    const { collection, principal } = scope;
    const lists = compileFilter(await settled(caller, () => scope.filter));
    for (const image of rows) {
      if (!lists(image.value) || (await settled(caller, () => scope.allows("get", { image })))) continue;
      this.listedOnly.push({ collection, id: image.id, user: principal.kind === "user" ? principal.id : undefined });
      return;
    }
  }
}
