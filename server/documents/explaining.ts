import { type Node, TRUE } from "#protocol/ast";
import { GalleyError } from "#protocol/errors";
import type { ObjectValue } from "#protocol/values";
import { type AdminScope, type Authorizer, authorizeAdmin } from "../access/authorize.ts";
import type { RuledPrincipal } from "../access/caller.ts";
import type { Denials, KeptDenial } from "../access/explaining/denials.ts";
import { createTimedLookups } from "../access/explaining/simulated-rights.ts";
import { nameOf } from "../access/principal.ts";
import type { RuleSet } from "../access/rule-tree.ts";
import type { DocumentStore, IndexStats } from "../stores/document-store.ts";
import type { Definitions } from "./definitions.ts";
import type { ExplainService, RulePeople, SimulateBody } from "./explain-contract.ts";
import { readChange, readDraft, readIdentity, readTime } from "./explain-input.ts";
import { explanationOf } from "./explanation.ts";
import { filterJson } from "./filter-json.ts";
import { allowsStored, impactOn, scopeUnder, Turns } from "./impact.ts";
import { settled } from "./judgement.ts";
import { notFound } from "./operation.ts";
import { listFilter, type Outcome, type Question, simulate } from "./simulation.ts";

/** People that one answer judges. */
const MOST_PEOPLE = 1000;
/** Verdicts of one impact. */
const MOST_VERDICTS = 400_000;
const SAMPLE = 1000;
/** Of a sample: characters of documents that are held in memory. */
const READ = { candidates: 100_000, milliseconds: 5000, characters: 64 * 1024 * 1024 };
const BY_ID = [{ path: ["_id"], descending: false }];

export interface ExplainOptions {
  readonly store: DocumentStore;
  readonly definitions: Pick<Definitions, "get" | "all">;
  /** Those in force here. */
  readonly rules: () => RuleSet;
  readonly people: RulePeople;
  readonly denials: Pick<Denials, "find">;
  readonly access: Authorizer;
  readonly clock: () => number;
  /** How a question is read: one by one, or by which indexes. */
  readonly plan: (
    filter: Node,
    indexes: readonly IndexStats[],
  ) => { readonly scan: boolean; readonly indexes: readonly (readonly string[])[] };
  /** What the engine would be asked, in its own words, by its name. */
  readonly statements: (
    collection: string,
    filter: Node,
    indexes: readonly IndexStats[],
  ) => Promise<Readonly<Record<string, readonly string[]>>>;
  /** The candidate most like a word, if one is like it. */
  readonly nearest: (word: string, candidates: readonly string[]) => string | undefined;
}

/** Explains verdicts by having them given once more, by the judge itself: simulation.ts. */
export function createExplainService(options: ExplainOptions): ExplainService {
  const { store, definitions, people, access, clock } = options;

  return {
    async simulate(scope, body) {
      const rules = readDraft(body.rules, options.rules());
      demandSight(scope, rules, body.collection);
      if (body.as.userId !== undefined) authorizeAdmin(scope.principal, "users", "read");
      const principal = await readIdentity(body.as, "as", { person: people.one, request: body.request });
      return explained(principal, body, rules, readTime(body.at, clock()));
    },

    async who(scope, { collection, id }) {
      const rules = options.rules();
      demandSight(scope, rules, collection);
      authorizeAdmin(scope.principal, "users", "read");
      const [row] = await store.get(collection, [id]);
      if (!row) throw notFound();
      const parts = { store, cache: createTimedLookups(store), now: clock() };
      const turns = new Turns();
      const may = async (principal: RuledPrincipal) => {
        await turns.next();
        return allowsStored(scopeUnder(rules, principal, collection, parts), "get", row);
      };
      const { people: asked, more } = await people.some(MOST_PEOPLE);
      const users: string[] = [];
      for (const person of asked) if (await may(person)) users.push(person.id);
      const anonymous = await may({ kind: "anonymous", address: "" });
      return { anonymous, users, checked: asked.length, more, rulesVersion: rules.version };
    },

    async impact(scope, body) {
      const { as, sample = SAMPLE } = body;
      const now = options.rules();
      const draft = readDraft(body.rules, now);
      const collections = [...new Set([...now.collections.keys(), ...draft.collections.keys()])].sort();
      for (const collection of collections) for (const rules of [now, draft]) demandSight(scope, rules, collection);
      if (as.some(({ userId }) => userId !== undefined)) authorizeAdmin(scope.principal, "users", "read");
      const identities: RuledPrincipal[] = [];
      for (const [i, identity] of as.entries()) {
        identities.push(await readIdentity(identity, `as.${i}`, { person: people.one }));
      }
      const parts = { store, cache: createTimedLookups(store), now: clock() };
      const turns = new Turns();
      const changes: ObjectValue[] = [];
      let verdicts = 0;
      for (const collection of collections) {
        const query = { collection, filter: TRUE, sort: BY_ID, limit: sample, budget: READ };
        const { rows } = await store.find(query);
        verdicts += rows.length * identities.length * 8;
        if (verdicts > MOST_VERDICTS) throw tooMuch();
        for (const [i, principal] of identities.entries()) {
          const found = await impactOn({ now, draft, principal, collection, rows }, parts, turns);
          changes.push(...found.map((change) => ({ as: i, ...change, sampled: rows.length })));
        }
      }
      return { changes, rulesVersion: now.version };
    },

    async denial(scope, requestId) {
      const denial = await options.denials.find(requestId);
      if (!denial) {
        throw new GalleyError(
          "not_found",
          "there is no record of a denial with this request id: they are kept for a day",
        );
      }
      const rules = options.rules();
      demandSight(scope, rules, denial.collection);
      if (denial.principal.id !== undefined) authorizeAdmin(scope.principal, "users", "read");
      return reviewed(denial, rules);
    },

    async why({ principal, collection, action, id, ...sent }) {
      const about = { collection, action, id };
      try {
        return await explained(principal, { ...about, ...sent }, options.rules(), clock());
      } catch (error) {
        // What was sent was not read, or has been read already.
        if (!(error instanceof GalleyError) || error.code !== "invalid_argument") throw error;
        return explained(principal, about, options.rules(), clock());
      }
    },

    meant(collection) {
      if (definitions.get(collection) || options.rules().collections.has(collection)) return undefined;
      const names = [...definitions.all().map(({ name }) => name), ...options.rules().collections.keys()];
      return options.nearest(collection, names);
    },
  };

  /** What lookups find is shown too. @throws GalleyError `permission_denied` with `details.scope` */
  function demandSight({ principal }: AdminScope, rules: RuleSet, collection: string): void {
    access.scope(principal, collection).demand("get");
    const of = rules.collections.get(collection);
    if (!of) return;
    const all = [of.list, of.get, of.create, of.update.before, of.update.after, of.delete];
    const froms = new Set(all.flatMap((rule) => [...rule.lookups.values()].map(({ from }) => from)));
    for (const field of of.fields) {
      for (const rule of [field.read, field.write])
        for (const { from } of rule?.lookups.values() ?? []) froms.add(from);
    }
    for (const from of froms) access.scope(principal, from).demand("get");
  }

  async function explained(
    principal: RuledPrincipal,
    body: Omit<SimulateBody, "as" | "id"> & { readonly id?: string | undefined },
    rules: RuleSet,
    now: number,
  ): Promise<ObjectValue> {
    const { collection, action, id } = body;
    const [stored] = id === undefined ? [] : await store.get(collection, [id]);
    const { id: _, ...given } = body;
    const change = readChange({ ...given, ...(id !== undefined && { id }), now, stored });
    const schema = definitions.get(collection)?.schema;
    const question: Question = { principal, action, collection, now, rules, schema, ...change };
    const cache = createTimedLookups(store);
    const outcome = await simulate(question, { store, cache });
    const explanation = await settled(outcome.scope, () => explanationOf(question, outcome, cache.times));
    return action === "list" ? { ...explanation, plan: await planOf(question, outcome) } : explanation;
  }

  /** What a list costs, told by the store that would answer it. */
  async function planOf(question: Question, { scope }: Outcome): Promise<ObjectValue> {
    const filter = await settled(scope, () => listFilter(question, scope));
    const indexes = (await store.stats(question.collection))?.indexes ?? [];
    const plan = options.plan(filter, indexes);
    const statements = await options.statements(question.collection, filter, indexes);
    const about = { filter: filterJson(filter), scan: plan.scan, indexes: plan.indexes, ...statements };
    if (!plan.scan) return about;
    const { advice } = await store.count({ collection: question.collection, filter, cap: 1, budget: READ });
    return { ...about, ...(advice && { advice: { index: { paths: advice.paths } } }) };
  }

  async function reviewed(denial: KeptDenial, rules: RuleSet): Promise<ObjectValue> {
    const { principal: who, at, asOf, collection, action, id, ...kept } = denial;
    const { kind, id: userId, ...from } = who;
    const person = userId === undefined ? undefined : await people.one(userId);
    const principal: RuledPrincipal | undefined =
      kind === "anonymous" ? { kind, ...from } : person && { ...person, ...from };
    const [row] = id === undefined ? [] : await store.get(collection, [id]);
    const now = principal ? await explained(principal, { action, collection, id }, rules, clock()) : null;
    const name = principal ? nameOf(principal) : (userId ?? kind);
    return {
      denial: {
        ...kept,
        at: at.toISOString(),
        principal: { kind, id: name },
        collection,
        action,
        ...(id !== undefined && { id }),
      },
      changed: { rules: kept.rulesVersion !== rules.version, document: row ? row.version > asOf : null },
      now,
    };
  }
}

function tooMuch(): GalleyError {
  return new GalleyError(
    "query_too_expensive",
    `this asks for more than ${MOST_VERDICTS} verdicts: name fewer identities, or a smaller sample`,
  );
}
