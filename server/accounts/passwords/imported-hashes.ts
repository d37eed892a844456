import { type BinaryLike, pbkdf2, type ScryptOptions, scrypt, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import type { Phc } from "./phc.ts";

const MIB = 1024 * 1024;
/** Bounds of what one sign-in may cost: a hash that asks for more is not one that people use. */
const MOST_ITERATIONS = 5_000_000;
const MOST_MEMORY = 256 * MIB;
const MOST_BLOCKS = 2 ** 22;
/** 2^14 rounds of bcrypt take a second or two. */
const MOST_BCRYPT_COST = 14;
const LEAST_BCRYPT_COST = 4;
/** `$2b$`, `$2a$` as most programs write, `$2y$` as PHP does; not `$2x$`, which stands for a mistake of old. */
const BCRYPT = /^\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}$/;
/** Bytes of a hash: fewer could be met by chance. */
const LEAST_HASH = 16;

/** Checks a password against the hash that it was asked for. */
export type HashCheck = (password: Uint8Array) => Promise<boolean>;

const scrypted = promisify<BinaryLike, BinaryLike, number, ScryptOptions, Buffer>(scrypt);
const iterated = promisify(pbkdf2);

const DIGESTS: Readonly<Record<string, string>> = {
  pbkdf2: "sha1",
  "pbkdf2-sha1": "sha1",
  "pbkdf2-sha256": "sha256",
  "pbkdf2-sha512": "sha512",
};

/** How a hash of another program is checked: scrypt or PBKDF2. Undefined for one of another kind, or too costly. */
export function importedCheck(stored: Phc): HashCheck | undefined {
  const { id, salt, hash } = stored;
  if (hash.length < LEAST_HASH) return undefined;
  const derive = id === "scrypt" ? scryptOf(stored) : pbkdf2Of(stored);
  return derive && (async (password) => timingSafeEqual(await derive(password, salt, hash.length), hash));
}

/**
 * The same of bcrypt, which has a form of its own. It knows the first 72 bytes of a password only: a longer one is right as
 * it was in the program that it comes from, until it is hashed anew.
 */
export function bcryptCheck(stored: string): HashCheck | undefined {
  const cost = Number(BCRYPT.exec(stored)?.[1]);
  if (!(cost >= LEAST_BCRYPT_COST && cost <= MOST_BCRYPT_COST)) return undefined;
  return async (password) => (await import("@node-rs/bcrypt")).verify(password, stored);
}

type Derive = (password: Uint8Array, salt: Uint8Array, bytes: number) => Promise<Uint8Array>;

/** `ln` is the logarithm of N; RFC 7914. */
function scryptOf({ costs: { ln = 0, r = 0, p = 0 } }: Phc): Derive | undefined {
  const blocks = 2 ** ln * r;
  if (ln < 1 || r < 1 || p < 1 || 128 * blocks > MOST_MEMORY || blocks * p > MOST_BLOCKS) return undefined;
  const options = { N: 2 ** ln, r, p, maxmem: 2 * MOST_MEMORY };
  return (password, salt, bytes) => scrypted(password, salt, bytes, options);
}

function pbkdf2Of({ id, costs: { i = 0 } }: Phc): Derive | undefined {
  const digest = Object.hasOwn(DIGESTS, id) ? DIGESTS[id] : undefined;
  if (digest === undefined || i < 1 || i > MOST_ITERATIONS) return undefined;
  return (password, salt, bytes) => iterated(password, salt, i, bytes, digest);
}
