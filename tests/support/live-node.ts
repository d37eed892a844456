/** Live sessions on a store of their own, with a clock, seconds and people that a test moves. */
import { GalleyError } from "#protocol/errors";
import { parseRules } from "../../server/access/parsing/rules.ts";
import type { Principal } from "../../server/access/principal.ts";
import type { RuleSet } from "../../server/access/rule-tree.ts";
import { createLiveQuestions } from "../../server/documents/live-questions.ts";
import type { LiveCaller, TellDenial } from "../../server/realtime/contract.ts";
import { createLiveTail } from "../../server/realtime/live-tail.ts";
import type { Identified, Identities } from "../../server/realtime/sessions/identity.ts";
import type { LiveLimits } from "../../server/realtime/sessions/live-limits.ts";
import { createLiveSessions } from "../../server/realtime/sessions/sessions.ts";
import type { WindowLimits } from "../../server/realtime/windows/window-limits.ts";
import { createWindows } from "../../server/realtime/windows/windows.ts";
import type { DocumentStore, Position } from "../../server/stores/document-store.ts";
import { LiveOutlet } from "./live-outlet.ts";
import { scopeOf, startServices } from "./services.ts";
import type { Teardown } from "./teardown.ts";

export const ADDRESS = "10.0.0.1";

export interface LiveNodeSetting {
  readonly rules?: object;
  readonly limits?: Partial<LiveLimits>;
  readonly windows?: Partial<WindowLimits>;
  readonly between?: (store: DocumentStore) => DocumentStore;
  /** Nothing becomes of denials by default, and nobody asks too often. */
  readonly tellDenial?: TellDenial;
  readonly countRequest?: (principal: Principal) => void;
}

export async function startLiveNode(t: Teardown, setting: LiveNodeSetting = {}) {
  let rules = setOf(setting.rules ?? { format: 1, collections: { news: { list: true, get: true } } });
  let version = 1;
  const services = await startServices({
    rules: () => rules,
    ...(setting.between && { between: setting.between }),
  });
  const { store, clock, random, log, definitions, access, time } = services;
  const people = createPeople();
  let lost: (() => unknown) | undefined;
  const nodes = { ...store.nodes, self: "one", lives: () => true, inTouch: true, lag: 0, touch: async () => {} };
  const seconds: (() => void)[] = [];
  const watched = {
    ...store,
    nodes,
    tail: (...given: Parameters<DocumentStore["tail"]>) => {
      lost = given[2];
      return store.tail(...given);
    },
  };
  const tail = createLiveTail(watched, log);
  const windows = createWindows({
    store: watched,
    tail,
    log,
    random,
    ...(setting.windows && { limits: setting.windows }),
  });
  const live = createLiveSessions({
    ...{ store: watched, tail, windows, access, clock, random, log, identities: people.identities },
    questions: createLiveQuestions({ store, definitions, secrets: ["s".repeat(32)], development: true }),
    tellDenial: setting.tellDenial ?? (() => undefined),
    countRequest: setting.countRequest ?? (() => {}),
    rulesRead: () => people.rulesRead,
    limits: { questionBurst: 1000, othersPerSecond: 1000, ...setting.limits },
    monotonic: clock,
    everySecond: (then) => {
      seconds.push(then);
      return () => {};
    },
  });
  t.teardown(async () => {
    await live.close();
    windows.close();
    tail.close();
    await services.close();
  });

  return {
    ...{ services, store, people, live, windows, tail, nodes },
    counters: live.counters,
    open: (origin?: string) =>
      LiveOutlet.open((outlet) => live.open(outlet, { address: ADDRESS, ...(origin !== undefined && { origin }) })),
    /** A socket that was welcomed. */
    async welcome(token?: string, from: Partial<LiveCaller> = {}): Promise<LiveOutlet> {
      const outlet = LiveOutlet.open((opened) => live.open(opened, { address: ADDRESS, ...from }));
      outlet.hello(token);
      await outlet.welcomed();
      return outlet;
    },
    /** Stores a document. @returns its position */
    async put(collection: string, id: string, body: object): Promise<Position> {
      const { position } = await services.documents.set(scopeOf(collection), id, body, {});
      return position;
    },
    /** Several documents in one commit; `undefined` deletes. */
    async batch(...operations: readonly object[]): Promise<Position> {
      const { position } = await services.documents.batch((name) => scopeOf(name), { operations }, {});
      return position;
    },
    async remove(collection: string, id: string): Promise<void> {
      await services.documents.delete(scopeOf(collection), id, {});
    },
    /** A commit of the server's own that changes nothing else: somebody's record was written. */
    async touchRecord(collection: string, id: string): Promise<void> {
      const [row] = await store.get(collection, [id]);
      const now = clock();
      const at = new Date(now).toISOString();
      const given = store.nextVersion(row?.version ?? 0);
      const text = `{"_id":"${id}","_v":${given},"_createdAt":{"$date":"${at}"},"_updatedAt":{"$date":"${at}"}}`;
      await store.ensureCollection({ name: collection, indexes: [] });
      await store.commit([{ kind: "put", collection, id, expect: row?.version ?? 0, version: given, text }]);
    },
    publish(next: object): void {
      rules = setOf(next, ++version);
      services.rights.changed();
      live.rulesChanged();
    },
    /** Lets time pass, second by second. */
    pass(count: number): void {
      for (let i = 0; i < count; i++) {
        time.now += 1000;
        for (const then of seconds) then();
      }
    },
    loseOrder: () => lost?.(),
  };
}

function setOf(rules: object, version = 1): RuleSet {
  const read = parseRules(rules, version);
  if (read.faults.length > 0) throw new Error(JSON.stringify(read.faults));
  return read.rules;
}

/** Those who have tokens, and what they may do, as a test says. */
function createPeople() {
  const known = new Map<string, Identified>();
  const errors = new Map<string, GalleyError>();
  /** Set, they are not known at once. */
  let asking: Promise<void> | undefined;
  let answer: () => void = () => {};
  const nameOf = (principal: Principal) => (principal.kind === "anonymous" ? "" : principal.id);
  const told = (name: string): Identified => {
    const error = errors.get(name);
    if (error) throw error;
    const found = known.get(name);
    if (found) return found;
    throw new GalleyError("unauthenticated", "nobody", { reason: "token_invalid" });
  };
  const identities: Identities = {
    async identify(token, address, origin) {
      if (token === undefined)
        return { principal: { kind: "anonymous", address, ...(origin !== undefined && { origin }) } };
      return told(token);
    },
    renew(principal) {
      if (principal.kind === "anonymous") return { principal };
      const name = nameOf(principal);
      if (!asking) return told(name);
      // What is answered later is what was so when it was asked.
      const found = Promise.resolve().then(() => told(name));
      found.catch(() => {});
      return asking.then(() => found);
    },
  };
  return {
    identities,
    rulesRead: Promise.resolve(),
    /** A user whose token is their name. */
    user(name: string, more: object = {}, times: Omit<Identified, "principal"> = {}): string {
      const own = { kind: "user", id: name, session: `s-${name}`, provedAt: 0, address: ADDRESS } as const;
      known.set(name, {
        principal: { ...own, guest: false, email: undefined, roles: [], claims: {}, ...more },
        ...times,
      });
      return name;
    },
    /** Another token of the same user. */
    alias(token: string, name: string, times: Omit<Identified, "principal"> = {}): string {
      known.set(token, { ...told(name), ...times });
      return token;
    },
    fail(name: string, error: GalleyError | undefined): void {
      if (error) errors.set(name, error);
      else errors.delete(name);
    },
    /** From now on who somebody is takes a while: until `known`. */
    ask(): void {
      asking = new Promise((resolve) => {
        answer = resolve;
      });
    },
    known(): void {
      asking = undefined;
      answer();
    },
  };
}
