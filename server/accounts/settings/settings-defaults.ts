import { describe } from "#protocol/describe";
import type { Faults } from "#protocol/errors";
import { isObjectValue } from "#protocol/values";
import { networkFault } from "../limits/networks.ts";
import { type MailTemplates, templateFault } from "../mail/mail-templates.ts";
import { appUrlFault } from "./app-url.ts";
import type { StoredSettings } from "./settings.ts";

/** One setting: what it is as long as nobody says otherwise, and what it may be. */
export class Setting<T> {
  readonly fallback: T;
  /** Adds a fault for each thing that is wrong with a value. */
  readonly check: (value: unknown, at: string, faults: Faults) => void;
  /**
   * What a change makes of the value before, where a change names only parts of it; else it is the new value.
   * @param before undefined: the default
   */
  readonly combine: ((before: unknown, change: unknown) => unknown) | undefined;

  constructor(fallback: T, check: Setting<T>["check"], combine?: Setting<T>["combine"]) {
    this.fallback = fallback;
    this.check = check;
    this.combine = combine;
  }
}

/** A table of settings with the members of `T`, and theirs. */
export type SettingTable<T> = {
  readonly [M in keyof T]: [T[M]] extends [boolean | number | string | null | readonly unknown[] | MailTemplates]
    ? Setting<T[M]>
    : SettingTable<T[M]>;
};

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const MAX_NAME = 100;
const MAX_URLS = 50;
const MAX_NETWORKS = 100;
/** Levels below `mail.templates` that a change may name: kind and language. */
const TEMPLATE_LEVELS = 2;

/** Every setting, one row each: accounts.md 3.1, 5.1, 6.2, 7.4, 8 and 9.4, http-api.md "Time and load". */
export const SETTING_TABLE: SettingTable<StoredSettings> = {
  app: {
    name: new Setting<string>("Galley", checkName),
    urls: listOf(MAX_URLS, "addresses", appUrlFault),
  },
  signUp: {
    open: oneOf<StoredSettings["signUp"]["open"]>(true, [true, false, "invite"]),
    confirm: oneOf<StoredSettings["signUp"]["confirm"]>("later", ["later", "first"]),
  },
  password: { min: integer(8, 8, 64) },
  sessions: {
    accessSeconds: integer(15 * MINUTE, MINUTE, HOUR),
    user: {
      idleSeconds: integer(30 * DAY, 5 * MINUTE, 365 * DAY),
      absoluteSeconds: integer(90 * DAY, 5 * MINUTE, 730 * DAY),
      most: integer(50, 1, 500),
    },
    admin: {
      idleSeconds: integer(HOUR, 5 * MINUTE, 30 * DAY),
      absoluteSeconds: integer(12 * HOUR, 5 * MINUTE, 30 * DAY),
      most: integer(50, 1, 500),
    },
  },
  admins: { networks: listOf(MAX_NETWORKS, "networks", networkFault) },
  limits: {
    anonymous: unlimitedOr(1, 1_000_000),
    user: unlimitedOr(1, 1_000_000),
    network: {
      signInFailuresPerMinute: many(100),
      failuresPerMinute: many(300),
      refreshFailuresPerMinute: many(300),
      keyFailuresPerMinute: many(20),
      signUpsPerHour: many(100),
      guestsPerHour: many(300),
      mailsPerHour: many(20),
      codesPerHour: many(60),
    },
    account: {
      freePasswordFailures: integer(5, 1, 20),
      longestWaitSeconds: integer(15 * MINUTE, 1, DAY),
      // NIST SP 800-63B-4, 3.2.2: at most 100.
      passwordFailuresInARow: integer(100, 10, 100),
      wrongCodesPerDay: integer(20, 5, 100),
      mailsPerMinute: integer(1, 1, 60),
      mailsPerHour: integer(5, 1, 500),
    },
    session: { refreshesPerMinute: integer(30, 2, 10_000) },
  },
  mail: { templates: new Setting<MailTemplates>({}, checkTemplates, combineTemplates) },
};

/** So often in a while. */
function many(fallback: number): Setting<number> {
  return integer(fallback, 1, 1_000_000);
}

function integer(fallback: number, least: number, most: number): Setting<number> {
  return new Setting<number>(fallback, (value, at, faults) => {
    if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return;
    faults.add(at, "bad_value", `expects a whole number from ${least} to ${most}, got ${shown(value)}`);
  });
}

/** No limit as long as nobody sets one. */
function unlimitedOr(least: number, most: number): Setting<number | null> {
  return new Setting<number | null>(null, integer(least, least, most).check);
}

function oneOf<T extends boolean | string>(fallback: T, values: readonly T[]): Setting<T> {
  return new Setting<T>(fallback, (value, at, faults) => {
    if (values.some((known) => known === value)) return;
    const known = values.map((one) => JSON.stringify(one)).join(", ");
    faults.add(at, "bad_value", `expects one of ${known}, got ${shown(value)}`);
  });
}

function shown(value: unknown): string {
  const short = typeof value === "number" || typeof value === "boolean";
  return short ? String(value) : describe(value);
}

function checkName(value: unknown, at: string, faults: Faults): void {
  const legal =
    typeof value === "string" &&
    value.trim() !== "" &&
    value.length <= MAX_NAME &&
    value.isWellFormed() &&
    !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(value);
  if (!legal) faults.add(at, "bad_value", `expects 1 to ${MAX_NAME} characters on one line`);
}

/** Of texts, each once. */
function listOf(
  most: number,
  what: string,
  faultOf: (text: unknown) => string | undefined,
): Setting<readonly string[]> {
  return new Setting<readonly string[]>([], (value, at, faults) => {
    if (!Array.isArray(value) || value.length > most) {
      faults.add(at, "bad_value", `expects an array of at most ${most} ${what}, got ${describe(value)}`);
      return;
    }
    for (const [i, text] of value.entries()) {
      const fault = faultOf(text) ?? (value.indexOf(text) < i ? "expects each once" : undefined);
      if (fault !== undefined) faults.add(`${at}.${i}`, "bad_value", fault);
    }
  });
}

function checkTemplates(value: unknown, at: string, faults: Faults): void {
  const fault = templateFault(value, at);
  if (fault) faults.add(fault.path, "bad_value", fault.message);
}

function combineTemplates(before: unknown, change: unknown): unknown {
  return combined(before, change, TEMPLATE_LEVELS);
}

/** Members that are named take the place of those before, null takes them off; so many levels down. */
function combined(before: unknown, change: unknown, levels: number): unknown {
  if (levels === 0 || !isObjectValue(change)) return change;
  const members = new Map(isObjectValue(before) ? Object.entries(before) : []);
  for (const [name, member] of Object.entries(change)) {
    if (member === null) members.delete(name);
    else members.set(name, combined(members.get(name), member, levels - 1) as never);
  }
  return Object.fromEntries(members);
}
