import type { Faults } from "#protocol/errors";
import { decodeValue, encodeValue, isObjectValue, type ObjectValue, utf8Length } from "#protocol/values";
import { type Address, readEmail } from "./email.ts";
import { normalPassword, passwordFault } from "./passwords/password-policy.ts";
import type { Settings } from "./settings/settings.ts";
import type { Pool } from "./users.ts";

/** Characters of a person's name; accounts.md 1. */
const MAX_NAME = 100;
const LOCALE = /^[a-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}$/;
/** Bytes of the text of what a person keeps, and of what an admin claims about one. */
export const MAX_DATA = 8 * 1024;
export const MAX_CLAIMS = 4 * 1024;

/** What people say of themselves. Members that are absent change nothing; null takes a value off. */
export interface ProfileBody {
  readonly name?: string | null;
  readonly locale?: string | null;
  readonly data?: unknown;
}

export interface Profile {
  readonly name?: string | undefined;
  readonly locale?: string | undefined;
  readonly data?: ObjectValue;
}

/** Judges what people say of themselves. A member that is there and undefined takes the value off. */
export function readProfile({ name, locale, data }: ProfileBody, faults: Faults): Profile {
  if (typeof name === "string") checkName(name, faults);
  if (typeof locale === "string" && !LOCALE.test(locale)) {
    faults.add("locale", "bad_value", 'expects a language tag such as "en" or "pt-BR"');
  }
  return {
    ...(name !== undefined && { name: name ?? undefined }),
    ...(locale !== undefined && { locale: locale ?? undefined }),
    ...(data !== undefined && { data: readPlain(data, "data", MAX_DATA, faults) }),
  };
}

function checkName(name: string, faults: Faults): void {
  const legal = name.trim() !== "" && name.length <= MAX_NAME && name.isWellFormed() && !/\p{Cc}/u.test(name);
  if (!legal) faults.add("name", "bad_value", `expects 1 to ${MAX_NAME} characters on one line`);
}

/** A JSON object without tags, of bounded size. */
export function readPlain(input: unknown, at: string, maxBytes: number, faults: Faults): ObjectValue {
  const before = faults.list.length;
  const value = decodeValue(input, at, faults);
  if (faults.list.length > before) return {};
  if (!isObjectValue(value)) {
    faults.add(at, "bad_value", "expects an object");
    return {};
  }
  const text = encodeValue(value);
  if (text.includes('{"$')) faults.add(at, "unsupported_value", "expects plain JSON, without dates, int64 or binary");
  else if (utf8Length(text) > maxBytes) faults.add(at, "too_long", `is larger than ${maxBytes} bytes`);
  return value;
}

export function readAddress(email: string, faults: Faults): Address {
  const address = readEmail(email);
  if (!address) faults.add("email", "bad_value", "expects a mail address, like ada@example.org");
  return address ?? { email: "", key: "" };
}

/** A new password, judged by the rules of its pool. @returns it as it is hashed */
export function readNewPassword(
  password: string,
  { pool, email, settings }: { readonly pool: Pool; readonly email: string | undefined; readonly settings: Settings },
  faults: Faults,
): string {
  const min = pool === "admin" ? settings.password.adminMin : settings.password.min;
  const fault = passwordFault(password, { min, app: settings.app.name, ...(email !== undefined && { email }) });
  if (fault !== undefined) faults.add("password", "bad_value", fault);
  return normalPassword(password);
}
