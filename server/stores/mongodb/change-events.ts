import { BSON, type Document, Timestamp } from "mongodb";
import { type EventBytes, scanEvent } from "./event-bytes.ts";
import { BSON_OPTIONS } from "./values.ts";

/** One event of the change stream, as far as the tail cares. */
export type ChangeEvent = EventBody & {
  readonly time: Timestamp;
  /** Names the transaction that it is a part of. */
  readonly transaction: string | undefined;
};

type EventBody =
  /** An insert or a replace. `insert`: nothing was stored before. */
  | {
      readonly kind: "put";
      readonly collection: string;
      readonly id: string;
      /** What is stored now, as BSON. */
      readonly document: Uint8Array;
      readonly insert: boolean;
    }
  /** An update by operators, which tells only what it changed. No write of Galley is one, but that of `_l`. */
  | { readonly kind: "update"; readonly collection: string; readonly id: string }
  | { readonly kind: "delete"; readonly collection: string; readonly id: string }
  /** Collections whose documents are gone from under their name. */
  | { readonly kind: "drop"; readonly collections: readonly string[] }
  /** Indexes or options of a collection, or the collection itself, were made or changed. */
  | { readonly kind: "shape"; readonly collection: string }
  /** The database was dropped: the stream ends here. */
  | { readonly kind: "end" }
  /** Nothing that anybody needs to know. */
  | { readonly kind: "none" };

const NONE = { kind: "none" } as const;
/** Names a collection of the port can have. Others (`system.views`, of a rename under way) are none of ours. */
const NAME = /^_?[a-z][a-z0-9_-]{0,62}$/;

/** A text that is no UTF-8, which only another program can have stored, stops no stream. */
const LENIENT = { ...BSON_OPTIONS, validation: { utf8: false } };

/** Reads an event as the server sends it. */
export function readEvent(bytes: Uint8Array): ChangeEvent {
  const scanned = scanEvent(bytes);
  const { seconds: t, increment: i, transaction } = scanned;
  return { ...bodyOf(scanned, bytes), time: new Timestamp({ t, i }), transaction };
}

function bodyOf(scanned: EventBytes, bytes: Uint8Array): EventBody {
  const { operation } = scanned;
  switch (operation) {
    case "insert":
    case "replace":
    case "delete":
      break;
    case "update":
      if (isCheck(parse(bytes).updateDescription)) return NONE;
      break;
    default:
      return structureOf(parse(bytes));
  }
  const { collection, id, document } = scanned;
  // The port knows only ids that are text: what another program stored under others is not seen by any read either.
  if (id === undefined || collection === undefined || !NAME.test(collection)) return NONE;
  const at = { collection, id };
  switch (operation) {
    case "delete":
    case "update":
      return { kind: operation, ...at };
    default:
      return document ? { kind: "put", ...at, document, insert: operation === "insert" } : NONE;
  }
}

function structureOf({ operationType, ns, to }: Document): EventBody {
  switch (operationType) {
    case "drop":
      return { kind: "drop", collections: named(ns.coll) };
    case "rename":
      return { kind: "drop", collections: [...named(ns.coll), ...(ns.db === to?.db ? named(to.coll) : [])] };
    case "dropDatabase":
    case "invalidate":
      return { kind: "end" };
    default:
      return typeof ns?.coll === "string" && NAME.test(ns.coll) ? { kind: "shape", collection: ns.coll } : NONE;
  }
}

function parse(bytes: Uint8Array): Document {
  try {
    return BSON.deserialize(bytes, BSON_OPTIONS);
  } catch (error) {
    if (error instanceof BSON.BSONError) return BSON.deserialize(bytes, LENIENT);
    throw error;
  }
}

function named(collection: string): string[] {
  return NAME.test(collection) ? [collection] : [];
}

/** A check of a commit writes the hidden `_l`, so that it meets with other writers, and changes nothing else. */
function isCheck({ updatedFields = {}, removedFields = [], truncatedArrays = [] }: Document): boolean {
  const fields = Object.keys(updatedFields);
  return fields.length === 1 && fields[0] === "_l" && removedFields.length === 0 && truncatedArrays.length === 0;
}

/**
 * The cluster time of a resume token: a token is a key string that starts with the byte of its first part's type and
 * then the time, which is what makes tokens comparable. The token after a batch says how far the stream has looked, also
 * where it found nothing.
 */
export function timeOfToken(token: Document | undefined): Timestamp | undefined {
  const match = /^82([0-9A-F]{8})([0-9A-F]{8})/i.exec(String(token?._data ?? ""));
  if (!match) return undefined;
  return new Timestamp({ t: Number.parseInt(match[1] ?? "", 16), i: Number.parseInt(match[2] ?? "", 16) });
}
