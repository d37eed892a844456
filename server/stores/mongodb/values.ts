import { Binary, type BSONSerializeOptions, type Document } from "mongodb";
import { DATE_MAX, DATE_MIN } from "#protocol/dates";
import { LIMITS } from "#protocol/limits";
import { keyFault, type ObjectValue, type Value } from "#protocol/values";

/** What the client must be opened with for values to come back as they went: int64 as bigint, binary as `Binary`. */
export const BSON_OPTIONS = {
  useBigInt64: true,
  promoteBuffers: false,
  ignoreUndefined: false,
} as const satisfies BSONSerializeOptions;

/**
 * A value as the driver takes it, which is the value itself: it writes a bigint as long, a `Uint8Array` as binary of
 * subtype 0, and a number as int if it is an integer within int32, else as double, which no filter can tell apart. The
 * keys on which its serialiser would stumble (`_bsontype`) are no keys of the language.
 */
export function toBson(value: ObjectValue): Document;
export function toBson(value: Value): unknown;
export function toBson(value: Value): unknown {
  return value;
}

/** A stored value that is none of the language, since another program wrote it (query-language.md 1.10). */
export class ForeignValue extends Error {
  /** Dotted path within the document. */
  readonly path: string;

  constructor(path: string, reason: string) {
    super(`${path}: ${reason}`);
    this.name = "ForeignValue";
    this.path = path;
  }
}

/**
 * A document as the driver read it under {@link BSON_OPTIONS}, as a value of the language. It is changed in place, so
 * hand over what nobody else holds.
 *
 * @throws ForeignValue if some value or key in it is none of the language
 */
export function fromBson(document: Document): ObjectValue {
  return decodeObject(document, [], 1);
}

type Trail = (string | number)[];

function decode(stored: unknown, trail: Trail, level: number): Value {
  switch (typeof stored) {
    case "string":
    case "boolean":
    case "bigint":
      return stored;
    case "number":
      if (!Number.isFinite(stored)) throw foreign(trail, `${stored} is not a finite number`);
      return stored === 0 ? 0 : stored;
    case "object":
      return stored === null ? null : decodeContainer(stored, trail, level);
    default:
      throw foreign(trail, `${typeof stored} is no value`);
  }
}

function decodeContainer(stored: object, trail: Trail, level: number): Value {
  if (stored instanceof Date) {
    const time = stored.getTime();
    if (time >= DATE_MIN && time <= DATE_MAX) return stored;
    throw foreign(trail, "a date is not within the years 1 to 9999");
  }
  if (stored instanceof Binary) return decodeBinary(stored, trail);
  if ("_bsontype" in stored) throw foreign(trail, `${String(stored._bsontype)} is not supported`);
  if (Array.isArray(stored)) {
    checkLevel(trail, level);
    for (let i = 0; i < stored.length; i++) {
      trail.push(i);
      stored[i] = decode(stored[i], trail, level + 1);
      trail.pop();
    }
    return stored as Value[];
  }
  if (Object.getPrototypeOf(stored) !== Object.prototype) {
    throw foreign(trail, `${stored.constructor.name} is not supported`);
  }
  return decodeObject(stored as Document, trail, level);
}

function decodeObject(stored: Document, trail: Trail, level: number): ObjectValue {
  checkLevel(trail, level);
  for (const key of Object.keys(stored)) {
    trail.push(key);
    const fault = keyFault(key);
    if (fault) throw foreign(trail, fault);
    const value = stored[key];
    const decoded = decode(value, trail, level + 1);
    if (decoded !== value || decoded === 0) stored[key] = decoded;
    trail.pop();
  }
  return stored as ObjectValue;
}

/** A copy, since the driver's bytes are a part of the whole reply, which they would keep in memory. */
function decodeBinary(stored: Binary, trail: Trail): Uint8Array {
  if (stored.sub_type !== Binary.SUBTYPE_DEFAULT)
    throw foreign(trail, `binary subtype ${stored.sub_type} is not supported`);
  const { length } = stored.buffer;
  if (length > LIMITS.binaryBytes) throw foreign(trail, `binary is larger than ${LIMITS.binaryBytes} bytes`);
  return new Uint8Array(stored.buffer);
}

function checkLevel(trail: Trail, level: number): void {
  if (level > LIMITS.documentDepth) throw foreign(trail, `is nested deeper than ${LIMITS.documentDepth} levels`);
}

function foreign(trail: Trail, reason: string): ForeignValue {
  return new ForeignValue(trail.join("."), reason);
}
