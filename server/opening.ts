import { setImmediate as nextTurn, setTimeout as wait } from "node:timers/promises";
import { GalleyError } from "#protocol/errors";
import type { Authorizer } from "./access/authorize.ts";
import type { Denials } from "./access/explaining/denials.ts";
import type { RulesService } from "./access/publishing/rules-contract.ts";
import type { AccountServices } from "./accounts/accounts.ts";
import type { ServiceKeys } from "./accounts/keys/service-keys.ts";
import type { CollectionService, DocumentService } from "./documents/contract.ts";
import type { ExplainService } from "./documents/explain-contract.ts";
import type { Log } from "./log.ts";
import type { LiveSessions } from "./realtime/sessions/sessions.ts";
import type { DocumentStore } from "./stores/document-store.ts";

/** A store, and when it can be used: at once, if nothing is said. */
export interface OpenedStore {
  readonly store: DocumentStore;
  readonly opened?: Promise<void>;
}

/** What works on the store, and knows some of what lies in it. */
export interface Services {
  readonly access: Authorizer;
  readonly documents: DocumentService;
  readonly collections: CollectionService;
  readonly rules: RulesService;
  readonly denials: Denials;
  readonly explain: ExplainService;
  readonly live: LiveSessions;
  readonly keys: ServiceKeys;
  readonly accounts: AccountServices["accounts"];
  readonly users: AccountServices["users"];
  readonly admins: AccountServices["admins"];
  readonly settings: AccountServices["settings"];
  readonly tokens: AccountServices["tokens"];
  readonly requestLimits: AccountServices["requestLimits"];
  readonly auditLog: AccountServices["audit"];
  readonly mailLog: AccountServices["mail"];
  /** Where people begin. */
  readonly setUp: { link(): Promise<string | undefined> };
  close(): Promise<void>;
}

/** A store and its services, which may still be opening. */
export interface Opening {
  /**
   * Resolves to the store when a start need not wait any longer: mostly the services are open then. Whoever runs Galley may
   * start it before its database: then they open as soon as that is there.
   *
   * Rejects with what opening a store that is there throws; the store is closed then.
   */
  readonly started: Promise<DocumentStore>;
  /** Resolves once the services are open; never, if it is closed before that. */
  readonly opened: Promise<void>;
  /** The same objects before and after; of no use before. */
  readonly services: Omit<Services, "close">;
  /** @throws GalleyError `unavailable` as long as the services are not open */
  demandOpen(): void;
  /** Ends the services, then the store. */
  close(): Promise<void>;
}

const RETRY_MILLISECONDS = 500;
const NAMES = [
  ...(["access", "documents", "collections", "rules", "denials", "explain", "live"] as const),
  ...(["keys", "accounts", "users", "admins"] as const),
  ...(["settings", "tokens", "requestLimits", "auditLog", "mailLog", "setUp"] as const),
];

/** Opens services over a store that is being opened. Requests are refused until they are there. */
export function openOver(
  opening: Promise<OpenedStore>,
  open: (store: DocumentStore) => Promise<Services>,
  log: Log,
): Opening {
  // The routes hold these objects from their start, and their methods come with the services.
  const services = Object.fromEntries(NAMES.map((name) => [name, {}])) as unknown as Omit<Services, "close">;
  const closing = new AbortController();
  let live: Services | undefined;
  let tellOpened: () => void;
  const whenOpen = new Promise<void>((resolve) => {
    tellOpened = resolve;
  });

  async function openOnce(store: DocumentStore): Promise<void> {
    const made = await open(store);
    for (const name of NAMES) Object.assign(services[name], made[name]);
    live = made;
    tellOpened();
  }

  /** Tries until it is done or closed. @throws what `isFatal` says is no matter of waiting */
  async function openInTime(store: DocumentStore, isFatal: (error: unknown) => boolean): Promise<void> {
    let told: string | undefined;
    while (!closing.signal.aborted) {
      try {
        await openOnce(store);
        if (told !== undefined) log.info({}, "the database is there: serving");
        return;
      } catch (error) {
        if (isFatal(error)) throw error;
        const reason = error instanceof Error ? error.message : String(error);
        if (reason !== told) log.warn({ reason }, "the services cannot be opened yet: trying again");
        told = reason;
        await wait(RETRY_MILLISECONDS, undefined, { signal: closing.signal }).catch(() => {});
      }
    }
  }

  let finished: Promise<void> | undefined;
  async function start(): Promise<DocumentStore> {
    const { store, opened } = await opening;
    if (opened !== undefined && !(await isSettled(opened))) {
      finished = opened.then(() => openInTime(store, () => false));
      return store;
    }
    try {
      await openInTime(store, (error) => !opened || !(error instanceof GalleyError) || error.code !== "unavailable");
      return store;
    } catch (error) {
      await store.close();
      throw error;
    }
  }
  const started = start();

  return {
    started,
    opened: whenOpen,
    services,
    demandOpen() {
      if (!live) {
        throw new GalleyError("unavailable", "the database has not been reached yet", { outcome: "not_applied" });
      }
    },
    async close() {
      closing.abort();
      const store = await started;
      // A store that never opened ends the wait for it.
      if (live) await live.close();
      await store.close();
      await finished;
    },
  };
}

async function isSettled(promise: Promise<void>): Promise<boolean> {
  return Promise.race([promise.then(() => true), nextTurn(false)]);
}
