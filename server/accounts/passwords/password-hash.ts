import { createHashQueue, type HashQueueOptions, type Waiting } from "./hash-queue.ts";
import { bcryptCheck, type HashCheck, importedCheck } from "./imported-hashes.ts";
import { formatPhc, type Phc, parsePhc } from "./phc.ts";

/** Stores passwords as argon2id, and checks them; accounts.md 3. Each takes its turn in the hash queue. */
export interface PasswordHasher {
  /**
   * @param password normal, as password-policy.ts makes it
   * @returns a PHC string
   * @throws GalleyError `rate_limited`, as `verify`
   */
  hash(password: string, who: Waiting): Promise<string>;
  /**
   * @param read counts the try and reads what is stored, before it is judged and after there is room for it; undefined where
   *   nothing is, or nothing that counts: then the same work is done, and the answer is no
   */
  verify(password: string, who: Waiting, read: () => Promise<string | undefined>): Promise<PasswordVerdict>;
}

export interface PasswordVerdict {
  readonly right: boolean;
  /** It is right, and should be hashed anew: what is stored is weaker than what is made today, or another program's. */
  readonly outdated: boolean;
}

export interface PasswordHasherOptions extends HashQueueOptions {
  readonly random: (bytes: number) => Uint8Array;
  /** {@link COSTS} by default. Only tests say otherwise: no configuration leads here. */
  readonly costs?: HashCosts | undefined;
}

/** What a hash costs, as PHC strings name it. */
export interface HashCosts {
  /** KiB. */
  readonly m: number;
  /** Passes. */
  readonly t: number;
  /** Lanes. */
  readonly p: number;
}

const COSTS: HashCosts = { m: 19 * 1024, t: 2, p: 1 };
const VERSION = 19;
const ARGON2 = /^argon2(?:id|i|d)$/;
const HASH_BYTES = 32;
const SALT_BYTES = 16;
/** Bounds of a stored hash: what one sign-in may cost, and what could be met by chance. */
const MOST_MEMORY = 256 * 1024;
const MOST_WORK = 8 * MOST_MEMORY;
const MOST_LANES = 16;
const LEAST_SALT = 8;
const LEAST_HASH = 16;

export function createPasswordHasher({ random, costs = COSTS, ...options }: PasswordHasherOptions): PasswordHasher {
  const queue = createHashQueue(options);
  // Of nobody's password: whatever is given, it costs what a stored one does, and is wrong.
  const dummy = formatPhc({
    id: "argon2id",
    version: VERSION,
    costs: { ...costs },
    salt: random(SALT_BYTES),
    hash: random(HASH_BYTES),
  });

  return {
    hash: (password, who) =>
      queue.run(who, async () => {
        const { hash } = await argon2();
        // argon2id, version 19, is what the library makes unless it is told otherwise.
        const settings = { memoryCost: costs.m, timeCost: costs.t, parallelism: costs.p, outputLen: HASH_BYTES };
        return hash(utf8(password), { ...settings, salt: random(SALT_BYTES) });
      }),
    verify: (password, who, read) =>
      queue.runPrepared(who, read, async (stored) => {
        const known = stored === undefined ? undefined : readHash(stored, costs);
        if (!known) {
          await (await argon2()).verify(dummy, utf8(password));
          return { right: false, outdated: false };
        }
        const right = await known.check(utf8(password));
        return { right, outdated: right && known.outdated };
      }),
  };
}

/** Loaded at first use: it is native code. */
function argon2() {
  return import("@node-rs/argon2");
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
  return async (password) => (await argon2()).verify(stored, password);
}

function isOutdated({ id, version, costs, salt, hash }: Phc, today: HashCosts): boolean {
  const { m = 0, t = 0 } = costs;
  const strong = m >= today.m && t >= today.t && salt.length >= SALT_BYTES && hash.length >= HASH_BYTES;
  return id !== "argon2id" || version !== VERSION || !strong;
}

function utf8(password: string): Uint8Array {
  return Buffer.from(password, "utf8");
}
