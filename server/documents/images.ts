import { describe } from "#protocol/describe";
import { type Faults, GalleyError } from "#protocol/errors";
import { idFault } from "#protocol/id";
import { LIMITS } from "#protocol/limits";
import {
  type Document,
  decodeValue,
  encodeValue,
  fitsUtf8,
  isObjectValue,
  type ObjectValue,
  type Value,
} from "#protocol/values";

/** A document at one moment: what is stored, or what a write would store. A store's row is one. */
export interface Image {
  readonly id: string;
  readonly version: number;
  /** Canonical text. */
  readonly text: string;
  readonly value: Document;
}

/** What a body says of a document: its own fields, and its id if it names one. */
export interface DocumentBody {
  readonly id?: string;
  readonly fields: ObjectValue;
  /** A date given as `_createdAt`, which import keeps. */
  readonly createdAt?: Date;
}

/**
 * Reads a whole document. `_v`, `_createdAt` and `_updatedAt` are taken and ignored, so that what was read can be put
 * back; any other name that starts with `_` is reserved. The body is decoded in place.
 */
export function readDocument(body: unknown, at: string, faults: Faults): DocumentBody {
  const before = faults.list.length;
  const value = decodeValue(body, at, faults);
  if (faults.list.length > before) return { fields: {} };
  if (!isObjectValue(value)) {
    faults.add(at, "bad_value", `expects a document, got ${describe(value)}`);
    return { fields: {} };
  }
  const reserved = Object.keys(value).filter((key) => key.charCodeAt(0) === UNDERSCORE);
  if (reserved.length === 0) return { fields: value };
  for (const key of reserved) judgeServerField(key, value[key], at, faults);
  const { _id, _v, _createdAt, _updatedAt, ...fields } = value;
  return {
    fields,
    ...(typeof _id === "string" ? { id: _id } : {}),
    ...(_createdAt instanceof Date ? { createdAt: _createdAt } : {}),
  };
}

const UNDERSCORE = 95;

function judgeServerField(key: string, value: Value | undefined, at: string, faults: Faults): void {
  switch (key) {
    case "_id": {
      const fault = idFault(value);
      if (fault !== undefined) faults.add(`${at}._id`, "bad_value", fault);
      return;
    }
    case "_v":
    case "_createdAt":
    case "_updatedAt":
      return;
    default: {
      const message = 'is reserved: names starting with "_" are the server\'s';
      faults.add(`${at}.${key.slice(0, 40)}`, "reserved_field", message);
    }
  }
}

/** The document's own fields, without the server's. */
export function fieldsOf(document: ObjectValue): ObjectValue {
  const { _id, _v, _createdAt, _updatedAt, ...fields } = document;
  return fields;
}

/** What the server puts in front of a document's own fields. */
export interface ServerFields {
  readonly _id: string;
  readonly _v: number;
  readonly _createdAt: Date;
  readonly _updatedAt: Date;
}

/**
 * Makes the image of a document.
 * @throws GalleyError `payload_too_large` if its text is over the limit
 */
export function imageOf(server: ServerFields, fields: ObjectValue): Image {
  const { _id, _v, _createdAt, _updatedAt } = server;
  const value: Document = { _id, _v, _createdAt, _updatedAt, ...fields };
  const text = encodeValue(value);
  if (!fitsUtf8(text, LIMITS.documentBytes)) throw documentTooLarge();
  return { id: _id, version: _v, text, value };
}

export function documentTooLarge(): GalleyError {
  return new GalleyError("payload_too_large", `the document would be larger than ${LIMITS.documentBytes} bytes`);
}

/** When a document was made. Other programs may have written one without telling. */
export function createdAt(document: ObjectValue, now: Date): Date {
  return document._createdAt instanceof Date ? document._createdAt : now;
}
