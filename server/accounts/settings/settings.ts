import { Faults } from "#protocol/errors";
import { encodeValue } from "#protocol/values";
import type { AdminScope } from "../../access/authorize.ts";
import { nameOf, type Principal } from "../../access/principal.ts";
import type { Log } from "../../log.ts";
import { attempts, commitOrLose } from "../../stores/attempts.ts";
import type { DocumentStore, StoredCollection, Write } from "../../stores/document-store.ts";
import type { Audit } from "../audit/audit.ts";
import { inNetworks } from "../limits/networks.ts";
import type { MailTemplates } from "../mail/mail-templates.ts";
import { fresh, putRecord, storedOf } from "../record.ts";
import type { Visit } from "../sessions/device.ts";
import type { SessionLives } from "../sessions/sessions.ts";
import { demandStanding, type Renewed } from "../standing.ts";
import { HeldSettings, valuesIn } from "./settings-held.ts";
import { changedSettings, differences, GROUPS, type SetValues, settingsOf } from "./settings-input.ts";

/** What admins change while the server runs: settings-defaults.ts says what each may be. Lives are in seconds. */
export interface StoredSettings {
  readonly app: {
    /** As mails call it; no password may contain it. */
    readonly name: string;
    /** Addresses of the app to which links and redirects may lead. */
    readonly urls: readonly string[];
  };
  readonly signUp: {
    /** Who may make an account: anybody, nobody, or who was invited. */
    readonly open: true | false | "invite";
    /** Whether an address is proven before its account is made; accounts.md 6.2. */
    readonly confirm: "later" | "first";
  };
  readonly password: {
    /** Characters that a user's password has at least. */
    readonly min: number;
  };
  readonly sessions: { readonly accessSeconds: number; readonly user: SessionLives; readonly admin: SessionLives };
  readonly admins: {
    /** Where admins may come from, in CIDR form; empty: anywhere. */
    readonly networks: readonly string[];
  };
  readonly limits: LimitSettings;
  readonly mail: { readonly templates: MailTemplates };
}

/** Accounts.md 8. */
export interface LimitSettings {
  /** Requests for data a minute, of one network without an account; null: any. */
  readonly anonymous: number | null;
  /** The same of one user. */
  readonly user: number | null;
  /** Of one network. */
  readonly network: {
    readonly signInFailuresPerMinute: number;
    /** At all account routes together. */
    readonly failuresPerMinute: number;
    readonly refreshFailuresPerMinute: number;
    readonly keyFailuresPerMinute: number;
    readonly signUpsPerHour: number;
    readonly guestsPerHour: number;
    readonly mailsPerHour: number;
    readonly codesPerHour: number;
  };
  /** Of one account, whether there is one or not. */
  readonly account: {
    /** In a row and of one source, before it has to wait: 1 s, then twice as long each time. */
    readonly freePasswordFailures: number;
    readonly longestWaitSeconds: number;
    /** Over all sources; then passwords are closed. */
    readonly passwordFailuresInARow: number;
    readonly wrongCodesPerDay: number;
    readonly mailsPerMinute: number;
    readonly mailsPerHour: number;
  };
  readonly session: { readonly refreshesPerMinute: number };
}

/** Everything that the rest of accounts goes by. */
export interface Settings extends StoredSettings {
  readonly password: StoredSettings["password"] & {
    /** Characters that an admin's password has at least; no setting. */
    readonly adminMin: number;
  };
}

/** What variables and flags fix for as long as the server runs, by the variable's name. */
export type EnvironmentSettings = Readonly<Record<string, EnvironmentSetting>>;

export interface EnvironmentSetting {
  /** Whether somebody set it. */
  readonly set: boolean;
  /** What holds, set or by default; null: nothing. Absent of secrets, which are shown to nobody. */
  readonly value?: unknown;
}

/** All settings, as admins read them. */
export interface ShownSettings extends StoredSettings {
  readonly environment: EnvironmentSettings;
}

/** The settings of this node, which are those of every node once a change of them is answered. */
export interface SettingsService {
  current(): Settings;
  /** All settings by group. @throws GalleyError `unavailable` as long as this node does not know what others changed */
  all(scope: AdminScope): Promise<ShownSettings>;
  /**
   * Changes what the body names, `{group: {member: value}}`, null for the default.
   *
   * @param visit for the audit line
   * @returns all settings, which hold on every node then
   * @throws GalleyError `invalid_argument` with every fault
   */
  change(scope: AdminScope, body: unknown, visit?: Visit): Promise<ShownSettings>;
  close(): void;
}

export interface SettingsOptions {
  readonly store: DocumentStore;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  /** That many random bytes. */
  readonly random: (bytes: number) => Uint8Array;
  readonly log: Log;
  readonly audit: Pick<Audit, "line">;
  readonly development: boolean;
  readonly environment: EnvironmentSettings;
  /** Who a principal is now. */
  readonly renewed?: Renewed | undefined;
}

/** One document a group, named like it. Others know other documents here. */
export const SETTINGS: StoredCollection = { name: "_settings", indexes: [] };

const ADMIN_MIN = { development: 8, production: 15 } as const;

/** Loads the settings and follows their changes. */
export async function createSettings(options: SettingsOptions): Promise<SettingsService> {
  const { store, clock, random, log, audit, development, environment, renewed } = options;
  const held = new HeldSettings(store, SETTINGS);
  try {
    await held.load();
  } catch (error) {
    held.close();
    throw error;
  }
  const adminMin = development ? ADMIN_MIN.development : ADMIN_MIN.production;
  /** Made anew when what is held has changed. */
  let made: { readonly of: SetValues; readonly settings: Settings } | undefined;

  return {
    current() {
      if (made?.of !== held.values) {
        const stored = settingsOf(held.values);
        const password = Object.freeze({ ...stored.password, adminMin });
        made = { of: held.values, settings: Object.freeze({ ...stored, password }) };
      }
      return made.settings;
    },
    async all(_scope) {
      if (!store.nodes.inTouch) await store.nodes.touch();
      return { ...settingsOf(held.values), environment };
    },
    async change(scope, body, visit) {
      const { after, position } = await attempts(random, () => changeOnce(scope, body, visit));
      await store.barrier(position);
      return { ...after, environment };
    },
    close: () => held.close(),
  };

  async function changeOnce({ principal }: AdminScope, body: unknown, visit: Visit | undefined) {
    const rows = await store.get(SETTINGS.name, GROUPS);
    const before = Object.fromEntries(rows.map((row, i) => [GROUPS[i] as string, row ? valuesIn(row) : {}]));
    const values = changedSettings(before, body);
    const after = settingsOf(values);
    demandOwnWayIn(principal, after);
    const now = clock();
    const writes = GROUPS.flatMap((group, i): Write[] => {
      const fields = values[group] ?? {};
      if (encodeValue(fields) === encodeValue(before[group] ?? {})) return [];
      const row = rows[i];
      return [putRecord(store, SETTINGS.name, row ? storedOf(row) : fresh(group, now), fields, now)];
    });
    // Another node may have done the same a moment ago: then it is waited for as well.
    if (writes.length === 0) return { after, position: store.position() };
    const by = nameOf(principal);
    const changed = differences(settingsOf(before), after);
    const line = audit.line({ action: "settings-changed", by, ...(visit && { visit }), details: { changed } });
    await demandStanding(renewed, principal);
    const position = await commitOrLose(store, [...writes, line]);
    log.info({ by, changed }, "settings changed");
    return { after, position };
  }
}

/** @throws GalleyError `invalid_argument` if an admin would not get in any more */
function demandOwnWayIn({ kind, address }: Principal, { admins: { networks } }: StoredSettings): void {
  if (kind !== "admin" || networks.length === 0 || inNetworks(networks)(address)) return;
  const faults = new Faults();
  faults.add("admins.networks", "bad_value", "expects a network that you come from yourself, else you are shut out");
  faults.throwIfAny();
}
