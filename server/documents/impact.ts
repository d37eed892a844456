import { setImmediate as nextTurn } from "node:timers/promises";
import type { ObjectValue } from "#protocol/values";
import { createAuthorizer, type Scope } from "../access/authorize.ts";
import type { RuledPrincipal } from "../access/caller.ts";
import { simulateRights } from "../access/explaining/simulated-rights.ts";
import type { LookupCache } from "../access/lookups.ts";
import type { RuleSet } from "../access/rule-tree.ts";
import type { Action } from "../access/scopes.ts";
import type { DocumentStore, Row } from "../stores/document-store.ts";
import { settled } from "./judgement.ts";

/** Verdicts between two turns of the event loop, for the requests that wait. */
const AT_ONCE = 200;
/** Ids that are named of what somebody would gain, and lose. */
const EXAMPLES = 5;
/** What is judged by what is stored alone. */
const ACTIONS: readonly Action[] = ["list", "get", "update", "delete"];

export interface JudgeParts {
  readonly store: DocumentStore;
  readonly cache: LookupCache;
  readonly now: number;
}

/** Gives turns to others while much is judged. */
export class Turns {
  #count = 0;

  async next(): Promise<void> {
    if (++this.#count % AT_ONCE === 0) await nextTurn();
  }
}

/** Somebody in one collection, by these rules. */
export function scopeUnder(rules: RuleSet, principal: RuledPrincipal, collection: string, parts: JudgeParts): Scope {
  const rights = simulateRights({ ...parts, rules, principal });
  return createAuthorizer(rights).scope(principal, collection);
}

/** Whether an action is allowed on what is stored. An error of a rule denies, as everywhere. */
export function allowsStored(scope: Scope, action: Action, row: Row): Promise<boolean> {
  return settled(scope, () => scope.allows(action, { image: row }));
}

export interface ImpactQuestion {
  readonly now: RuleSet;
  readonly draft: RuleSet;
  readonly principal: RuledPrincipal;
  readonly collection: string;
  readonly rows: readonly Row[];
}

/** What a draft changes for one identity in one collection: a row for each action. */
export async function impactOn(question: ImpactQuestion, parts: JudgeParts, turns: Turns): Promise<ObjectValue[]> {
  const { principal, collection, rows } = question;
  const [now, draft] = [question.now, question.draft].map((rules) => scopeUnder(rules, principal, collection, parts));
  if (!now || !draft) return [];
  const found: ObjectValue[] = [];
  for (const action of ACTIONS) {
    const gained: string[] = [];
    const lost: string[] = [];
    let [before, after] = [0, 0];
    for (const row of rows) {
      await turns.next();
      const [was, is] = [await allowsStored(now, action, row), await allowsStored(draft, action, row)];
      if (was) before++;
      if (is) after++;
      if (is && !was) gained.push(row.id);
      if (was && !is) lost.push(row.id);
    }
    const examples = { gained: gained.slice(0, EXAMPLES), lost: lost.slice(0, EXAMPLES) };
    // biome-ignore lint/suspicious/noThenProperty: a count of the reply, which nobody awaits
    const counts = { now: before, then: after, gained: gained.length, lost: lost.length };
    found.push({ collection, action, ...counts, examples });
  }
  return found;
}
