import type { ServiceKeys } from "./accounts/keys/service-keys.ts";
import { endOfToken } from "./accounts/sessions/token-end.ts";
import { createLiveQuestions, type LiveQuestionsOptions } from "./documents/live-questions.ts";
import { createLiveTail } from "./realtime/live-tail.ts";
import type { Identities } from "./realtime/sessions/identity.ts";
import { createLiveSessions, type LiveServiceOptions, type LiveSessions } from "./realtime/sessions/sessions.ts";
import { createWindows } from "./realtime/windows/windows.ts";
import type { DocumentStore } from "./stores/document-store.ts";
import { anonymous, demandNoPage, isKey, type Verifier } from "./transport/identify.ts";

export interface LiveParts
  extends Omit<LiveServiceOptions, "store" | "tail" | "windows" | "questions" | "identities">,
    Omit<LiveQuestionsOptions, "store"> {
  readonly store: DocumentStore;
  readonly keys: Pick<ServiceKeys, "verify" | "renew" | "endOf">;
  /** Of access tokens. */
  readonly tokens: Verifier & Pick<ServiceKeys, "renew">;
}

/** Builds live queries out of their parts. To be opened after all that judges by what it is told of commits. */
export function openLive(parts: LiveParts): LiveSessions {
  const { store, definitions, secrets, development, keys, tokens, ...common } = parts;
  const { log, random } = common;
  const tail = createLiveTail(store, log);
  const windows = createWindows({ store, tail, log, random });
  const questions = createLiveQuestions({ store, definitions, secrets, development });
  const sessions = createLiveSessions({
    ...{ ...common, store, tail, windows, questions },
    identities: createIdentities(keys, tokens),
  });
  return {
    ...sessions,
    async close() {
      await sessions.close();
      windows.close();
      tail.close();
    },
  };
}

/** Identifies sockets as requests are. */
function createIdentities(keys: LiveParts["keys"], tokens: LiveParts["tokens"]): Identities {
  return {
    async identify(token, address, origin) {
      if (token === undefined) return { principal: anonymous(address, origin) };
      if (!isKey(token)) return { principal: await tokens.verify(token, address, origin), ...endOfToken(token) };
      demandNoPage(origin);
      const principal = await keys.verify(token, address);
      return { principal, endsAt: keys.endOf(principal) };
    },
    renew(principal) {
      if (principal.kind === "anonymous") return { principal };
      if (principal.kind !== "key") return found(tokens.renew(principal), (one) => ({ principal: one }));
      return found(keys.renew(principal), (one) => ({ principal: one, endsAt: keys.endOf(one) }));
    },
  };
}

/** At once, where it is known at once. */
function found<T, R>(value: T | Promise<T>, then: (value: T) => R): R | Promise<R> {
  return value instanceof Promise ? value.then(then) : then(value);
}
