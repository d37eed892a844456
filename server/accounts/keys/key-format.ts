import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ID = 12;
/** 62^43 is over 2^256: the secret holds 256 random bits. */
const SECRET = 43;
const CHECKSUM = 6;
const KEY = new RegExp(`^gsk_([0-9A-Za-z]{${ID}})_([0-9A-Za-z]{${SECRET}})([0-9A-Za-z]{${CHECKSUM}})$`);

/** A service key taken apart; accounts.md 10. */
export interface KeyParts {
  readonly id: string;
  readonly secret: string;
}

/** `gsk_<id>_<secret><checksum>`; the checksum lets typing errors and secret scanners do without a database. */
export function formatKey({ id, secret }: KeyParts): string {
  const start = `gsk_${id}_${secret}`;
  return start + checksum(start);
}

/** The parts of a key; undefined unless its form and checksum are right. */
export function parseKey(token: string): KeyParts | undefined {
  const [, id, secret, given] = KEY.exec(token) ?? [];
  if (id === undefined || secret === undefined) return undefined;
  return checksum(token.slice(0, -CHECKSUM)) === given ? { id, secret } : undefined;
}

/** A new key's parts. @param random that many bytes of a cryptographic source */
export function newKeyParts(random: (bytes: number) => Uint8Array): KeyParts {
  return { id: digitsOf(random(16), ID), secret: digitsOf(random(32), SECRET) };
}

/** What is stored of a secret. It has 256 random bits, so a fast hash hides it. */
export function hashSecret(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}

function checksum(text: string): string {
  let rest = crc32(text);
  let digits = "";
  for (let i = 0; i < CHECKSUM; i++) {
    digits = DIGITS.charAt(rest % 62) + digits;
    rest = Math.floor(rest / 62);
  }
  return digits;
}

/** The bytes as one number in base 62, its last digits, padded with zeros. */
function digitsOf(bytes: Uint8Array, length: number): string {
  let rest = BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
  let digits = "";
  for (let i = 0; i < length; i++) {
    digits = DIGITS.charAt(Number(rest % 62n)) + digits;
    rest /= 62n;
  }
  return digits;
}
