import { LIMITS } from "./limits.ts";

const ID = /^[A-Za-z0-9_~.:@-]+$/;
const BASE32HEX = "0123456789abcdefghijklmnopqrstuv";
/** Random bytes that {@link newId} uses: the 74 random bits of a UUIDv7, rounded up. */
export const ID_RANDOM_BYTES = 10;

/** What is wrong with a document's id, in words; undefined if it is legal (query-language.md 2). */
export function idFault(id: unknown): string | undefined {
  if (typeof id !== "string") return "an id is a string";
  if (id.length === 0 || id.length > LIMITS.idLength) return `an id has 1 to ${LIMITS.idLength} characters`;
  if (!ID.test(id)) return "an id may hold letters, digits and _ ~ . : @ - only";
  if (id === "." || id === "..") return 'an id may not be "." or ".."';
  return undefined;
}

/**
 * Makes an id: a UUIDv7 (RFC 9562 5.7) in lower-case base32hex (RFC 4648 7) without padding. 26 characters that sort by
 * the millisecond they were made in; within one, at random.
 *
 * @param now epoch milliseconds
 * @param random {@link ID_RANDOM_BYTES} bytes of a cryptographic source, so that ids cannot be guessed
 */
export function newId(now: number, random: Uint8Array): string {
  if (random.length < ID_RANDOM_BYTES) throw new RangeError(`newId expects ${ID_RANDOM_BYTES} random bytes`);
  const bytes = new Uint8Array(16);
  const time = Math.floor(now);
  const high = Math.floor(time / 2 ** 24);
  const low = time % 2 ** 24;
  for (let i = 0; i < 3; i++) {
    bytes[i] = high >> (16 - 8 * i);
    bytes[i + 3] = low >> (16 - 8 * i);
  }
  bytes.set(random.subarray(0, ID_RANDOM_BYTES), 6);
  bytes[6] = 0x70 | ((bytes[6] as number) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] as number) & 0x3f);
  return base32hex(bytes);
}

function base32hex(bytes: Uint8Array): string {
  // One call makes one flat text; joined characters would be copied once more when the id is used.
  const codes: number[] = [];
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    bits = ((bits << 8) | byte) & 0xfff;
    held += 8;
    while (held >= 5) {
      held -= 5;
      codes.push(BASE32HEX.charCodeAt((bits >> held) & 31));
    }
  }
  if (held > 0) codes.push(BASE32HEX.charCodeAt((bits << (5 - held)) & 31));
  return String.fromCharCode(...codes);
}
