import { type FaultCode, Faults } from "#protocol/errors";
import { fitsUtf8 } from "#protocol/values";
import { isKeyRun } from "./key-runs.ts";
import { isCommonPassword } from "./listed-passwords.ts";
import { cores, repeatedPart, withoutLeet } from "./password-forms.ts";

/** What a password is judged by; accounts.md 3. */
export interface PasswordContext {
  /** Characters (code points) that it has at least. */
  readonly min: number;
  /** The address of whom it is for, as they gave it. */
  readonly email?: string;
  /** The app's name. */
  readonly app?: string;
}

const MAX_BYTES = 4096;
/** Characters from which a name counts as a part of a password, and what is left of a password as a word. */
const MIN_NAME = 3;
const MIN_CORE = 4;
const PRODUCT = "galley";
const COMMON = "expects a password that is not one of the most common, nor close to one";
const REPEATED = "expects more than a few characters repeated";

/**
 * A password as it is hashed: in NFC, so that what two keyboards make of one character is one, and otherwise exactly as
 * it was sent. Nothing is cut off.
 *
 * @param at what a fault names
 * @throws GalleyError `invalid_argument` if it is longer than any password needs to be, or no text
 */
export function normalPassword(password: string, at = "password"): string {
  const fault = formFault(password);
  const faults = new Faults();
  if (fault) faults.add(at, fault.code, fault.message);
  faults.throwIfAny();
  return password.normalize("NFC");
}

/** What is wrong with a new password: what is expected, in words that show nothing of it. Undefined: nothing. */
export function passwordFault(password: string, { min, email, app }: PasswordContext): string | undefined {
  const fault = formFault(password);
  if (fault) return fault.message;
  const normal = password.normalize("NFC");
  if ([...normal].length < min) return `expects at least ${min} characters`;
  const lower = normal.toLowerCase();
  if (holdsName(lower, namesOf(email, app))) {
    return `expects a password without the name in your address, the app's name and the word ${PRODUCT}`;
  }
  if (isCommonPassword(lower)) return COMMON;
  // What is said over and over is worth no more than said once.
  const part = repeatedPart([...lower]);
  if (part.length < min) return REPEATED;
  for (const form of formsOf(part.join(""))) {
    const fault = patternFault([...form], min);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** Asked before anything that costs time. UTF-8 has no lone surrogates: passwords that differ in them would be one. */
function formFault(password: string): { readonly code: FaultCode; readonly message: string } | undefined {
  if (!fitsUtf8(password, MAX_BYTES))
    return { code: "too_long", message: `expects at most ${MAX_BYTES} bytes of UTF-8` };
  if (password.isWellFormed()) return undefined;
  return { code: "unsupported_value", message: "expects well-formed Unicode, got a lone surrogate" };
}

/** What somebody who knows the person would try. */
function namesOf(email = "", app = ""): string[] {
  // As addresses are read: a sign of full width is the plain one.
  const local = email
    .trim()
    .normalize("NFKC")
    .replace(/@[^@]*$/, "");
  const names = [local, app.trim(), app.replace(/\s+/g, ""), PRODUCT].map((name) =>
    name.normalize("NFC").toLowerCase(),
  );
  return names.filter((name) => [...name].length >= MIN_NAME);
}

function holdsName(lower: string, names: readonly string[]): boolean {
  const texts = withoutLeet(lower);
  return names.some((name) => texts.some((text) => text.includes(name)));
}

/** A text and what is left of it when it is reduced, each once. */
function formsOf(lower: string): ReadonlySet<string> {
  const words = cores(lower).filter((core) => core === lower || core.length >= MIN_CORE);
  return new Set(words.flatMap(withoutLeet));
}

function patternFault(form: readonly string[], min: number): string | undefined {
  const part = repeatedPart(form);
  if (isCommonPassword(part.join(""))) return COMMON;
  if (part.length < Math.min(min, form.length)) return REPEATED;
  return isKeyRun(part) ? "expects more than a row of keys or letters" : undefined;
}
