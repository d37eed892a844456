import { hash as makeArgon2, verify } from "@node-rs/argon2";
import { ARGON2_VERSION, HASH_BYTES, type HashCosts, SALT_BYTES } from "./hash-costs.ts";
import { bcryptCheck, type HashCheck, importedCheck } from "./imported-hashes.ts";
import { type Phc, parsePhc } from "./phc.ts";

/** What a hash is made of. */
export interface Making {
  readonly password: string;
  /** In base64: it goes to another process as JSON, which takes half the time of what carries bytes. */
  readonly salt: string;
  readonly costs: HashCosts;
}

/** What a password is checked against. */
export interface Checking {
  readonly password: string;
  /** A PHC string, or another program's form; undefined where there is none. */
  readonly stored: string | undefined;
  /** Of nobody's password: where nothing stored can be checked, this costs what that would. */
  readonly dummy: string;
  /** What hashes cost that are made today. */
  readonly costs: HashCosts;
}

export interface PasswordVerdict {
  readonly right: boolean;
  /** It is right, and should be hashed anew: what is stored is weaker than what is made today, or another program's. */
  readonly outdated: boolean;
}

const ARGON2 = /^argon2(?:id|i|d)$/;
/** Bounds of a stored hash: what one sign-in may cost, and what could be met by chance. */
const MOST_MEMORY = 256 * 1024;
const MOST_WORK = 8 * MOST_MEMORY;
const MOST_LANES = 16;
const LEAST_SALT = 8;
const LEAST_HASH = 16;

/** Hashes a password, in a thread of libuv's. @returns a PHC string */
export async function makeHash({ password, salt, costs }: Making): Promise<string> {
  // Unless it is told otherwise the library makes argon2id, of the version of today.
  const settings = { memoryCost: costs.m, timeCost: costs.t, parallelism: costs.p, outputLen: HASH_BYTES };
  return makeArgon2(utf8(password), { ...settings, salt: Buffer.from(salt, "base64") });
}

/** Checks a password, in such a thread: it takes as long where there is nothing to check it against. */
export async function checkHash({ password, stored, dummy, costs }: Checking): Promise<PasswordVerdict> {
  const known = stored === undefined ? undefined : readHash(stored, costs);
  if (!known) {
    await verify(dummy, utf8(password));
    return { right: false, outdated: false };
  }
  const right = await known.check(utf8(password));
  return { right, outdated: right && known.outdated };
}

/** How a stored hash is checked, and whether it should be made anew; undefined if it cannot be checked here. */
function readHash(
  stored: string,
  costs: HashCosts,
): { readonly check: HashCheck; readonly outdated: boolean } | undefined {
  const bcrypt = bcryptCheck(stored);
  if (bcrypt) return { check: bcrypt, outdated: true };
  const phc = parsePhc(stored);
  const check = phc && checkOf(phc, stored);
  return check && { check, outdated: isOutdated(phc, costs) };
}

function checkOf(phc: Phc, stored: string): HashCheck | undefined {
  const { id, costs, salt, hash } = phc;
  if (!ARGON2.test(id)) return importedCheck(phc);
  const { m = 0, t = 0, p = 0, ...others } = costs;
  if (Object.keys(others).length > 0) return undefined;
  const bearable = m <= MOST_MEMORY && m * t <= MOST_WORK && p <= MOST_LANES;
  if (!bearable || m < 8 * p || t < 1 || p < 1) return undefined;
  if (salt.length < LEAST_SALT || hash.length < LEAST_HASH) return undefined;
  return (password) => verify(stored, password);
}

function isOutdated({ id, version, costs, salt, hash }: Phc, today: HashCosts): boolean {
  const { m = 0, t = 0 } = costs;
  const strong = m >= today.m && t >= today.t && salt.length >= SALT_BYTES && hash.length >= HASH_BYTES;
  return id !== "argon2id" || version !== ARGON2_VERSION || !strong;
}

function utf8(password: string): Uint8Array {
  return Buffer.from(password, "utf8");
}
