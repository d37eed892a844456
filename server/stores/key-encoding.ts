import type { Key, Rank } from "#protocol/compare";
import { RANK, rankOf } from "#protocol/compare";
import type { ObjectValue, Value } from "#protocol/values";

/**
 * Bytes whose order (memcmp, as SQLite compares blobs) is the order of keys, and which are equal for equal keys only;
 * query-language.md 8.1. No key's bytes are the beginning of another key's.
 */

/** The first byte of a key, by its rank. Between two classes there is room for one that is added later. */
const CLASS_BYTES: readonly number[] = [0x08, 0x10, 0x18, 0x20, 0x28, 0x30, 0x38, 0x40, 0x48];

/** Above every key, whether its first part ascends (08..48) or descends (B7..F7). */
export const AFTER_ALL: Buffer = Buffer.from([0xff]);

/** A buffer larger than this is not kept after use; a key that an index accepts is far smaller. */
const KEPT_BYTES = 16 * 1024;

// Keys are written here first, since their length is not known before, and copied out once.
let bytes = Buffer.allocUnsafeSlow(KEPT_BYTES);
let length = 0;

/** The bytes of one key, ascending. */
export function encodeKey(key: Key): Buffer {
  length = 0;
  writeKey(key);
  return taken();
}

/** The bytes of a key tuple: its parts one after the other, descending ones inverted. Byte order is tuple order. */
export function encodeTuple(keys: readonly Key[], descending: readonly boolean[]): Buffer {
  length = 0;
  for (let i = 0; i < keys.length; i++) {
    const start = length;
    writeKey(keys[i] as Key);
    if (descending[i]) invertFrom(start);
  }
  return taken();
}

/** What the bytes of every key of a class start with. */
export function encodeClass(rank: Rank): Buffer {
  return Buffer.from([CLASS_BYTES[rank] as number]);
}

/** What the bytes of every string that starts with `prefix` start with. */
export function encodePrefix(prefix: string): Buffer {
  length = 0;
  room(1);
  bytes[length++] = CLASS_BYTES[RANK.string] as number;
  writeText(prefix);
  return taken();
}

/** The same bytes as a descending part holds them. */
export function inverted(part: Buffer): Buffer {
  return part.map((byte) => ~byte) as Buffer;
}

/** The least bytes above everything that starts with `prefix`; undefined if there are none (FF FF …). */
export function successor(prefix: Buffer): Buffer | undefined {
  let end = prefix.length;
  while (end > 0 && prefix[end - 1] === 0xff) end--;
  if (end === 0) return undefined;
  const next = Buffer.from(prefix.subarray(0, end));
  next[end - 1] = (next[end - 1] as number) + 1;
  return next;
}

function taken(): Buffer {
  const result = Buffer.from(bytes.subarray(0, length));
  if (bytes.length > KEPT_BYTES) bytes = Buffer.allocUnsafeSlow(KEPT_BYTES);
  return result;
}

function room(more: number): void {
  if (length + more <= bytes.length) return;
  const larger = Buffer.allocUnsafeSlow(Math.max(bytes.length * 2, length + more));
  bytes.copy(larger, 0, 0, length);
  bytes = larger;
}

function invertFrom(start: number): void {
  for (let i = start; i < length; i++) bytes[i] = ~(bytes[i] as number);
}

function writeKey(key: Key): void {
  const rank = rankOf(key);
  room(1);
  bytes[length++] = CLASS_BYTES[rank] as number;
  writeBody(key, rank);
}

function writeBody(key: Key, rank: Rank): void {
  switch (rank) {
    case RANK.empty:
    case RANK.null:
      break;
    case RANK.number:
      if (typeof key === "bigint") writeInt64(key);
      else writeNumber(key as number, 0);
      break;
    case RANK.string:
      writeText(key as string);
      writeEnd();
      break;
    case RANK.object:
      writeObject(key as ObjectValue);
      break;
    case RANK.array:
      writeArray(key as readonly Value[]);
      break;
    case RANK.binary:
      writeBinary(key as Uint8Array);
      break;
    case RANK.bool:
      room(1);
      bytes[length++] = key === true ? 1 : 0;
      break;
    case RANK.date:
      writeDate((key as Date).getTime());
      break;
  }
}

/**
 * Eight bytes of a double, then how far above it the number is: 0 for a double, up to 1023 for an int64, since doubles
 * around 2^63 are 1024 apart.
 */
function writeNumber(double: number, above: number): void {
  room(10);
  bytes.writeDoubleBE(double === 0 ? 0 : double, length); // -0 and 0 are equal
  if ((bytes[length] as number) & 0x80) {
    for (let i = length; i < length + 8; i++) bytes[i] = ~(bytes[i] as number);
  } else bytes[length] = (bytes[length] as number) ^ 0x80;
  bytes[length + 8] = above >> 8;
  bytes[length + 9] = above & 0xff;
  length += 10;
}

function writeInt64(long: bigint): void {
  let double = Number(long);
  if (BigInt(double) > long) double = nextBelow(double);
  writeNumber(double, Number(long - BigInt(double)));
}

const scratch = new DataView(new ArrayBuffer(8));

/** The greatest double below one that is not 0; an int64 that needs this is beyond 2^53. */
function nextBelow(double: number): number {
  scratch.setFloat64(0, double);
  scratch.setBigInt64(0, scratch.getBigInt64(0) + (double > 0 ? -1n : 1n));
  return scratch.getFloat64(0);
}

/** Strings up to this many units are written in JavaScript, which is faster than the call into native code. */
const SHORT_TEXT = 48;

/** UTF-8, with NUL as 00 FF so that it orders above the end of a text, 00 01. */
function writeText(text: string): void {
  const start = length;
  room(text.length * 3);
  if (text.length <= SHORT_TEXT) {
    let i = 0;
    for (; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit === 0 || unit >= 0x80) break;
      bytes[length++] = unit;
    }
    if (i === text.length) return;
    length = start;
  }
  length += bytes.write(text, start);
  if (text.includes("\0")) escapeNul(start);
}

function escapeNul(start: number): void {
  const text = Buffer.from(bytes.subarray(start, length));
  room(text.length * 2);
  length = start;
  for (const byte of text) {
    bytes[length++] = byte;
    if (byte === 0) bytes[length++] = 0xff;
  }
}

function writeEnd(): void {
  room(2);
  bytes[length++] = 0;
  bytes[length++] = 1;
}

function writeObject(object: ObjectValue): void {
  for (const name of Object.keys(object)) {
    const value = object[name] as Value;
    const rank = rankOf(value);
    room(1);
    bytes[length++] = CLASS_BYTES[rank] as number;
    writeText(name);
    writeEnd();
    writeBody(value, rank);
  }
  room(1);
  bytes[length++] = 0;
}

function writeArray(elements: readonly Value[]): void {
  for (const element of elements) writeKey(element);
  room(1);
  bytes[length++] = 0;
}

function writeBinary(binary: Uint8Array): void {
  room(4 + binary.length);
  length = bytes.writeUInt32BE(binary.length, length);
  bytes.set(binary, length);
  length += binary.length;
}

/** Milliseconds + 2^63 in 64 bits, in two halves, which spares a bigint. */
function writeDate(milliseconds: number): void {
  room(8);
  const high = Math.floor(milliseconds / 0x1_0000_0000);
  length = bytes.writeUInt32BE(high + 0x8000_0000, length);
  length = bytes.writeUInt32BE(milliseconds - high * 0x1_0000_0000, length);
}
