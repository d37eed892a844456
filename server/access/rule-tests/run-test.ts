import { GalleyError } from "#protocol/errors";
import { LIMITS } from "#protocol/limits";
import { parseText } from "#protocol/values";
import type { RuledPrincipal } from "../caller.ts";
import { traceRule } from "../explaining/trace.ts";
import { reasonsOf } from "../explaining/trace-reasons.ts";
import type { Judgement } from "../rights.ts";
import type { RuleSet } from "../rule-tree.ts";
import { copyOf } from "./json-copy.ts";
import type { Observer } from "./observations.ts";
import { settled } from "./settled.ts";
import type { Attempt, RuleTest } from "./suite.ts";
import { type TestedGalley, type Visitor, visit } from "./tested-galley.ts";
import { withheldPaths } from "./withheld.ts";

/** Codes by which rules refuse. `not_found`: of a document that is there, and may not be seen. */
const REFUSALS = ["permission_denied", "unauthenticated", "not_found"];
/** Ids that a message names. */
const MOST_NAMED = 20;

export interface TestSetting {
  readonly galley: TestedGalley;
  readonly rules: RuleSet;
  readonly observer: Observer;
  readonly signal: { readonly aborted: boolean };
  /** Ids of the documents of a collection. */
  readonly idsIn: (collection: string) => readonly string[];
}

/** Runs one test. @returns what came instead of what was expected; undefined if nothing did */
export async function runTest(test: RuleTest, setting: TestSetting): Promise<string | undefined> {
  const { rules, galley } = setting;
  const visitor = visit(galley, { rules, principal: principalOf(test), collection: test.collection });
  const trial = new Trial(test, setting, visitor);
  const failure = await trial.run();
  await trial.observe();
  return failure;
}

/** Who asks in a test. */
export function principalOf({ user, request }: Pick<RuleTest, "user" | "request">): RuledPrincipal {
  const { ip: address = "127.0.0.1", origin } = request;
  const from = { address, ...(origin !== undefined && { origin }) };
  return user ? { kind: "user", ...user, session: "test", provedAt: 0, ...from } : { kind: "anonymous", ...from };
}

class Trial {
  readonly #test: RuleTest;
  readonly #setting: TestSetting;
  readonly #visitor: Visitor;

  constructor(test: RuleTest, setting: TestSetting, visitor: Visitor) {
    this.#test = test;
    this.#setting = setting;
    this.#visitor = visitor;
  }

  async run(): Promise<string | undefined> {
    const { expects } = this.#test;
    switch (expects.kind) {
      case "can": {
        const refusal = await refusalOf(() => this.#attempt(expects.attempt));
        return refusal && `was refused: ${await this.#told(refusal, expects.attempt)}`;
      }
      case "cannot": {
        const { attempt, because } = expects;
        const refusal = await refusalOf(() => this.#attempt(attempt));
        if (!refusal) return "was allowed";
        if (!REFUSALS.includes(refusal.code)) return `failed, and not by a rule: ${refusal.message}`;
        if (because === undefined) return undefined;
        const places = await this.#places(refusal, attempt);
        if (places.some((place) => `.${place}.`.includes(`.${because}.`))) return undefined;
        return `was refused because of ${places.join(", ")}, not of ${because}`;
      }
      case "lists":
        return this.#lists(expects.ids);
      case "gets":
        return this.#gets(expects.id, expects.hides);
    }
  }

  async #lists(expected: readonly string[]): Promise<string | undefined> {
    const found: string[] = [];
    const refusal = await refusalOf(async () => {
      for (let after: string | undefined; ; ) {
        const page = await this.#find(LIMITS.pageMax, after);
        for (const text of page.documents) found.push((parseText(text) as { _id: string })._id);
        after = page.next;
        if (after === undefined) return true;
      }
    });
    if (refusal) return `was refused: ${await this.#told(refusal, { action: "list" })}`;
    const [missing, more] = [without(expected, found), without(found, expected)];
    if (missing.length + more.length === 0) return undefined;
    const parts = [
      missing.length > 0 && `does not list ${named(missing)}`,
      more.length > 0 && `lists ${named(more)} too`,
    ];
    return parts.filter(Boolean).join(", and ");
  }

  async #gets(id: string, hides: readonly string[] | undefined): Promise<string | undefined> {
    const { galley, signal } = this.#setting;
    let text: string | undefined;
    const refusal = await refusalOf(async () => {
      text = (await galley.documents.get(this.#visitor.scope, id, { signal }))?.text;
      return text !== undefined;
    });
    if (refusal || text === undefined)
      return `was refused: ${refusal && (await this.#told(refusal, { action: "get", id }))}`;
    if (!hides) return undefined;
    const [row] = await galley.store.get(this.#test.collection, [id]);
    const withheld = row ? withheldPaths(row.value, parseText(text)) : [];
    const [shown, more] = [without(hides, withheld), without(withheld, hides)];
    if (shown.length + more.length === 0) return undefined;
    const parts = [shown.length > 0 && `does not hide ${named(shown)}`, more.length > 0 && `hides ${named(more)} too`];
    return parts.filter(Boolean).join(", and ");
  }

  #find(limit: number, after?: string) {
    return this.#setting.galley.documents.find(this.#visitor.scope, { limit, after, signal: this.#setting.signal });
  }

  /** @returns whether there was something to see */
  async #attempt(attempt: Attempt): Promise<boolean> {
    const { galley, signal } = this.#setting;
    switch (attempt.action) {
      case "list":
        await this.#find(1);
        return true;
      case "get":
        return (await galley.documents.get(this.#visitor.scope, attempt.id, { signal })) !== undefined;
      case "create":
        await galley.documents.create(this.#visitor.scope, copyOf(attempt.body), {});
        return true;
      case "update":
        await galley.documents.update(this.#visitor.scope, attempt.id, copyOf(attempt.body), {});
        return true;
      case "delete":
        await galley.documents.delete(this.#visitor.scope, attempt.id, {});
        return true;
    }
  }

  async #told(refusal: GalleyError, attempt: Attempt): Promise<string> {
    if (!REFUSALS.includes(refusal.code)) return refusal.message;
    return `${refusal.code} because of ${(await this.#places(refusal, attempt)).join(", ")}`;
  }

  /** The paths of the clauses that an attempt was refused for. */
  async #places(refusal: GalleyError, { action }: Attempt): Promise<readonly string[]> {
    const { collection } = this.#test;
    const { field } = refusal.details;
    if (typeof field === "string") return [`${collection}.fields.${field}`];
    const { caller, heard } = this.#visitor.rights;
    const denied = heard.findLast((one) => one.action === action && !one.allowed);
    const reasons = denied ? reasonsOf(await settled(caller, () => traceRule(this.#question(denied)))) : [];
    const places = reasons.map(({ path }) => path).filter(Boolean);
    return places.length > 0 ? places : [`${collection}.${action}`];
  }

  #question({ rule, images, action }: Judgement) {
    const { rules } = this.#setting;
    return { rules, rule, images, caller: this.#visitor.rights.caller, ticks: action === "list" };
  }

  /** Notes what the clauses say of what was judged here; of a list, of the documents that it went through. */
  async observe(): Promise<void> {
    const { galley, observer, rules, idsIn } = this.#setting;
    const { collection, expects } = this.#test;
    const { caller, heard } = this.#visitor.rights;
    for (const judgement of [...heard]) await observer.see(judgement, caller);
    const rule = rules.collections.get(collection)?.list;
    if (expects.kind !== "lists" || !rule) return;
    for (const image of await galley.store.get(collection, idsIn(collection))) {
      if (image) await observer.see({ collection, action: "list", rule, images: { image }, allowed: true }, caller);
    }
  }
}

/** How something was refused; undefined if it was not. What is hidden is as what is not there. */
async function refusalOf(attempt: () => Promise<boolean>): Promise<GalleyError | undefined> {
  try {
    return (await attempt()) ? undefined : new GalleyError("not_found", "there is no such document");
  } catch (error) {
    if (error instanceof GalleyError && error.status < 500) return error;
    throw error;
  }
}

function without(all: readonly string[], these: readonly string[]): readonly string[] {
  const gone = new Set(these);
  return all.filter((one) => !gone.has(one));
}

function named(texts: readonly string[]): string {
  const rest = texts.length - MOST_NAMED;
  return `${texts.slice(0, MOST_NAMED).join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}
