import { DATE_MAX, DATE_MIN } from "#protocol/dates";
import { idFault } from "#protocol/id";
import { LIMITS } from "#protocol/limits";
import { BsonKeys } from "./bson-keys.ts";
import { HIDDEN } from "./commit-marker.ts";

/** The types of BSON that documents of ours are made of; bsonspec.org. */
const TYPE = {
  double: 1,
  string: 2,
  object: 3,
  array: 4,
  binary: 5,
  bool: 8,
  date: 9,
  null: 10,
  int32: 16,
  int64: 18,
} as const;

const BYTE = {
  quote: 34,
  comma: 44,
  point: 46,
  zero: 48,
  colon: 58,
  openList: 91,
  backslash: 92,
  closeList: 93,
  underscore: 95,
  open: 123,
  close: 125,
} as const;
/** No text is longer than this many times its BSON: a control character grows sixfold, an empty binary fivefold. */
const GROWTH = 8;
const ROOM = 256 * 1024;
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const MOST_DAYS = 4096;
/** Objects with more keys are rare, and it would take long to find two that are equal. */
const MOST_KEYS = 64;

/**
 * Writes the canonical text of a document straight from its bytes, without making its values: to the byte what
 * `encodeValue` writes of the document that the driver reads.
 *
 * It takes what is plainly of the language. Of all else (documents of other programs, keys that JavaScript puts in another
 * order) it says nothing, and the caller has the driver read them.
 */
export class BsonText {
  /** Of the last document that was taken; its `_v` if that is a number. */
  id = "";
  version: number | undefined;
  readonly #keys = new BsonKeys();
  #in: Buffer = Buffer.alloc(0);
  /** Where reading stands. */
  #from = 0;
  #out: Buffer = Buffer.allocUnsafe(ROOM);
  /** Where writing stands. */
  #to = 0;
  /** Whether some character is beyond ASCII. */
  #wide = false;
  /** How the dates of a day begin, for days that came up. */
  readonly #days = new Map<number, Uint8Array>();

  /** Undefined for a document that is not plainly of the language. */
  textOf(bytes: Uint8Array): string | undefined {
    if (bytes.length > LIMITS.documentBytes) return undefined;
    const room = bytes.length * GROWTH;
    // The room for one large document is not kept.
    if (room > this.#out.length || this.#out.length > ROOM) this.#out = Buffer.allocUnsafe(Math.max(room, ROOM));
    this.#in = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#from = 0;
    this.#to = 0;
    this.#wide = false;
    this.id = "";
    this.version = undefined;
    if (!this.#object(1) || this.id === "" || this.#to > LIMITS.documentBytes) return undefined;
    if (!this.#wide) return this.#out.toString("latin1", 0, this.#to);
    const text = this.#out.toString("utf8", 0, this.#to);
    // What is no UTF-8 is decoded to this character. It may also be a text's own, which the driver can tell.
    return text.includes("\ufffd") ? undefined : text;
  }

  #object(level: number): boolean {
    if (level > LIMITS.documentDepth) return false;
    const end = this.#from + this.#in.readInt32LE(this.#from) - 1;
    this.#from += 4;
    const names: string[] = [];
    this.#byte(BYTE.open);
    const first = this.#to;
    while (this.#from < end) {
      const type = this.#in[this.#from] as number;
      const key = this.#keys.at(this.#in, this.#from + 1);
      this.#from += 2 + key.bytes.length;
      const { name } = key;
      if (!key.plain || names.length === MOST_KEYS || names.includes(name)) return false;
      names.push(name);
      const before = this.#to;
      if (before > first) this.#byte(BYTE.comma);
      this.#bytes(key.json);
      if (key.wide) this.#wide = true;
      if (!this.#value(type, level + 1)) return false;
      if (level > 1 || name.charCodeAt(0) !== BYTE.underscore) continue;
      if (name === HIDDEN) this.#to = before;
      else if (!this.#judgeServerField(name, type, before)) return false;
    }
    this.#byte(BYTE.close);
    this.#from = end + 1;
    return true;
  }

  /** The server's fields stand at the top. What was just read is one of them. */
  #judgeServerField(name: string, type: number, from: number): boolean {
    switch (name) {
      case "_id": {
        if (type !== TYPE.string) return false;
        this.id = this.#out.toString("latin1", from + (from > 1 ? 8 : 7), this.#to - 1);
        return idFault(this.id) === undefined;
      }
      case "_v":
        if (type === TYPE.double || type === TYPE.int32) {
          this.version = Number(this.#out.toString("latin1", from + (from > 1 ? 6 : 5), this.#to));
        } else if (type === TYPE.int64) this.version = Number(this.#in.readBigInt64LE(this.#from - 8));
        return true;
      case "_createdAt":
      case "_updatedAt":
        return type === TYPE.date;
      default:
        return false;
    }
  }

  #array(level: number): boolean {
    if (level > LIMITS.documentDepth) return false;
    const end = this.#from + this.#in.readInt32LE(this.#from) - 1;
    this.#from += 4;
    this.#byte(BYTE.openList);
    for (let more = false; this.#from < end; more = true) {
      const type = this.#in[this.#from++] as number;
      while (this.#in[this.#from++] !== 0);
      if (more) this.#byte(BYTE.comma);
      if (!this.#value(type, level + 1)) return false;
    }
    this.#byte(BYTE.closeList);
    this.#from = end + 1;
    return true;
  }

  #value(type: number, level: number): boolean {
    const bytes = this.#in;
    const from = this.#from;
    switch (type) {
      case TYPE.string: {
        const length = bytes.readInt32LE(from);
        this.#string(from + 4, from + 3 + length);
        this.#from = from + 4 + length;
        return true;
      }
      case TYPE.int32:
        this.#from = from + 4;
        this.#ascii(`${bytes.readInt32LE(from)}`);
        return true;
      case TYPE.double: {
        this.#from = from + 8;
        const double = bytes.readDoubleLE(from);
        this.#ascii(`${double}`);
        return Number.isFinite(double);
      }
      case TYPE.bool:
        this.#from = from + 1;
        this.#bytes(bytes[from] === 1 ? TRUE : FALSE);
        return true;
      case TYPE.null:
        this.#bytes(NULL);
        return true;
      case TYPE.date:
        this.#from = from + 8;
        return this.#date(bytes.readInt32LE(from + 4) * 2 ** 32 + bytes.readUInt32LE(from));
      case TYPE.int64:
        this.#from = from + 8;
        this.#ascii(`{"$numberLong":"${bytes.readBigInt64LE(from)}"}`);
        return true;
      case TYPE.object:
        return this.#object(level);
      case TYPE.array:
        return this.#array(level);
      case TYPE.binary: {
        const length = bytes.readInt32LE(from);
        if (bytes[from + 4] !== 0 || length > LIMITS.binaryBytes) return false;
        this.#from = from + 5 + length;
        this.#ascii(`{"$binary":{"base64":"${bytes.toString("base64", from + 5, this.#from)}","subType":"00"}}`);
        return true;
      }
      default:
        return false;
    }
  }

  #date(time: number): boolean {
    if (!(time >= DATE_MIN && time <= DATE_MAX)) return false;
    const day = Math.floor(time / DAY);
    let start = this.#days.get(day);
    if (start === undefined) {
      if (this.#days.size === MOST_DAYS) this.#days.clear();
      start = Buffer.from(`{"$date":"${new Date(day * DAY).toISOString().slice(0, 11)}`);
      this.#days.set(day, start);
    }
    const rest = time - day * DAY;
    this.#bytes(start);
    this.#digits(Math.floor(rest / HOUR), 2);
    this.#byte(BYTE.colon);
    this.#digits(Math.floor(rest / MINUTE) % 60, 2);
    this.#byte(BYTE.colon);
    this.#digits(Math.floor(rest / SECOND) % 60, 2);
    this.#byte(BYTE.point);
    this.#digits(rest % SECOND, 3);
    this.#bytes(DATE_END);
    return true;
  }

  #digits(number: number, count: number): void {
    let rest = number;
    for (let i = this.#to + count - 1; i >= this.#to; i--) {
      this.#out[i] = BYTE.zero + (rest % 10);
      rest = Math.floor(rest / 10);
    }
    this.#to += count;
  }

  #string(from: number, end: number): void {
    const bytes = this.#in;
    const out = this.#out;
    let to = this.#to;
    let wide = 0;
    out[to++] = BYTE.quote;
    // Of long texts most are plain, and the native calls that find and copy those cost as much as some dozen bytes here.
    if (end - from >= LONG && !SPECIAL.test(bytes.toString("latin1", from, end))) {
      to += bytes.copy(out, to, from, end);
      out[to++] = BYTE.quote;
      this.#to = to;
      return;
    }
    for (let i = from; i < end; i++) {
      const byte = bytes[i] as number;
      wide |= byte;
      if (byte >= 32 && byte !== BYTE.quote && byte !== BYTE.backslash) out[to++] = byte;
      else to += out.write(ESCAPES[byte] as string, to, "latin1");
    }
    out[to++] = BYTE.quote;
    this.#to = to;
    if (wide >= 128) this.#wide = true;
  }

  /** A few bytes, for which a call to copy them would take longer. */
  #bytes(bytes: Uint8Array): void {
    const out = this.#out;
    const to = this.#to;
    const { length } = bytes;
    for (let i = 0; i < length; i++) out[to + i] = bytes[i] as number;
    this.#to = to + length;
  }

  #ascii(text: string): void {
    const out = this.#out;
    const to = this.#to;
    if (text.length > 40) out.write(text, to, "latin1");
    else for (let i = 0; i < text.length; i++) out[to + i] = text.charCodeAt(i);
    this.#to = to + text.length;
  }

  #byte(byte: number): void {
    this.#out[this.#to++] = byte;
  }
}

/** Bytes of a text from which on it is looked at as a whole. */
const LONG = 64;
/** What a text in JSON escapes, or is not ASCII. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what it looks for
const SPECIAL = /[\x00-\x1f"\\\x80-\xff]/;
const NULL = Buffer.from("null");
const TRUE = Buffer.from("true");
const FALSE = Buffer.from("false");
const DATE_END = Buffer.from('Z"}');

/** How JSON writes the characters that cannot stand for themselves, by their code. */
const ESCAPES: readonly string[] = Array.from({ length: BYTE.backslash + 1 }, (_, code) =>
  JSON.stringify(String.fromCharCode(code)).slice(1, -1),
);
