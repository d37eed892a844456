import { BSON, type Document as Stored } from "mongodb";
import { versionOf } from "#protocol/delta";
import { idFault } from "#protocol/id";
import { LIMITS } from "#protocol/limits";
import { type Document, encodeValue, fitsUtf8, parseText } from "#protocol/values";
import type { Row } from "../document-store.ts";
import { BsonText } from "./bson-text.ts";
import { HIDDEN } from "./commit-marker.ts";
import { BSON_OPTIONS, ForeignValue, fromBson } from "./values.ts";

/** What reads came across that no read of ours should, counted for the operator. */
export interface ReadMeter {
  /** Documents of other programs that the language cannot hold, which were skipped (query-language.md 1.10). */
  foreign: number;
  /** Rows that MongoDB returned and the evaluator, or the order of the sort, refused. Always 0, or a defect. */
  parity: number;
}

const writer = new BsonText();

/**
 * A document as MongoDB sent it, as a row: its canonical text, written once, and its value, parsed at first use. The hidden
 * member is left out.
 *
 * @returns undefined if another program wrote what the language cannot hold (query-language.md 1.10): every read skips
 *   such a document
 */
export function rowOfBytes(bytes: Uint8Array): Row | undefined {
  const text = writer.textOf(bytes);
  if (text !== undefined) return new TextRow(writer.id, versionOf(writer.version), text);
  const stored = parseStored(bytes);
  return stored && rowOf(stored);
}

/** A document as the driver reads it; undefined if a text in it is no UTF-8, which only another program can have stored. */
export function parseStored(bytes: Uint8Array): Stored | undefined {
  try {
    return BSON.deserialize(bytes, BSON_OPTIONS);
  } catch (error) {
    if (error instanceof BSON.BSONError) return undefined;
    throw error;
  }
}

/** As {@link rowOfBytes}, of a document as the driver read it. It is changed in place: hand over what nobody else holds. */
export function rowOf(stored: Stored): Row | undefined {
  const value = documentOf(stored);
  if (!value) return undefined;
  const text = encodeValue(value);
  if (!fitsUtf8(text, LIMITS.documentBytes)) return undefined;
  return { id: value._id, version: versionOf(value._v), text, value };
}

/** As {@link rowOf}, the value alone; its size is not judged. */
export function documentOf(stored: Stored): Document | undefined {
  if (idFault(stored._id) !== undefined || !serverFieldsFit(stored)) return undefined;
  try {
    return fromBson(HIDDEN in stored ? withoutHidden(stored) : stored) as Document;
  } catch (error) {
    if (error instanceof ForeignValue) return undefined;
    throw error;
  }
}

/** The `_id` of a document as MongoDB sent it, where it stands first; undefined if it is no string. */
export function idOfBytes(bytes: Uint8Array): string | undefined {
  const document = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (document.toString("latin1", 4, ID_HEAD.length + 4) !== ID_HEAD) return undefined;
  const from = 4 + ID_HEAD.length + 4;
  return document.toString("utf8", from, from - 1 + document.readInt32LE(from - 4));
}

/** The type of a string and the key, in BSON. */
const ID_HEAD = "\x02_id\0";

class TextRow implements Row {
  readonly id: string;
  readonly version: number;
  readonly text: string;
  #value: Document | undefined;

  constructor(id: string, version: number, text: string) {
    this.id = id;
    this.version = version;
    this.text = text;
  }

  get value(): Document {
    this.#value ??= parseText(this.text) as Document;
    return this.#value;
  }
}

const UNDERSCORE = 95;

/** Names that start with `_` are the server's (query-language.md 2), and its dates are dates where they are there. */
function serverFieldsFit(stored: Stored): boolean {
  for (const key in stored) {
    if (key.charCodeAt(0) !== UNDERSCORE) continue;
    switch (key) {
      case "_id":
      case "_v":
      case HIDDEN:
        break;
      case "_createdAt":
      case "_updatedAt":
        if (!(stored[key] instanceof Date)) return false;
        break;
      default:
        return false;
    }
  }
  return true;
}

function withoutHidden({ [HIDDEN]: _, ...rest }: Stored): Stored {
  return rest;
}
