import { BsonKeys } from "./bson-keys.ts";

/** BSON types that take the same room whatever their value; bsonspec.org. */
const FIXED: Readonly<Record<number, number>> = { 1: 8, 7: 12, 8: 1, 9: 8, 10: 0, 16: 4, 17: 8, 18: 8, 19: 16 };
const TYPE = { double: 1, string: 2, object: 3, array: 4, binary: 5, int32: 16, timestamp: 17, int64: 18 } as const;

/** A change of one document, as far as the tail cares, taken from its event's bytes without making its values. */
export interface EventBytes {
  readonly operation: string;
  /** Cluster time: seconds and increment. */
  readonly seconds: number;
  readonly increment: number;
  /** Names the transaction that it is a part of. */
  readonly transaction: string | undefined;
  readonly collection: string | undefined;
  /** Undefined if it is no text. */
  readonly id: string | undefined;
  /** What is stored now: a view of the event's bytes. */
  readonly document: Uint8Array | undefined;
}

const keys = new BsonKeys();

/** Reads what events of documents have in common. The server sends one for every write, so nothing else is looked at. */
export function scanEvent(bytes: Uint8Array): EventBytes {
  const event = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  let operation = "";
  let seconds = 0;
  let increment = 0;
  let session = "";
  let transaction: string | undefined;
  let collection: string | undefined;
  let id: string | undefined;
  let document: Uint8Array | undefined;
  for (let at = 4; at < event.length - 1; ) {
    const type = event[at] as number;
    const key = keys.at(event, at + 1);
    const from = at + 2 + key.bytes.length;
    const size = sizeOf(type, event, from);
    if (size === undefined) throw new Error(`a change event has a member of BSON type ${type}`);
    at = from + size;
    switch (key.name) {
      case "operationType":
        operation = textAt(event, type, from) ?? "";
        break;
      case "clusterTime":
        if (type !== TYPE.timestamp) break;
        increment = event.readUInt32LE(from);
        seconds = event.readUInt32LE(from + 4);
        break;
      case "lsid":
        session = event.toString("latin1", from, at);
        break;
      case "txnNumber":
        transaction = event.toString("latin1", from, at);
        break;
      case "ns":
        collection = memberText(event, type, from, "coll");
        break;
      case "documentKey":
        id = memberText(event, type, from, "_id");
        break;
      case "fullDocument":
        if (type === TYPE.object) document = event.subarray(from, at);
        break;
    }
  }
  const named = transaction === undefined ? undefined : `${session} ${transaction}`;
  return { operation, seconds, increment, transaction: named, collection, id, document };
}

/** The `_v` of a stored document, if it is a number. */
export function versionOfBytes(bytes: Uint8Array): number | bigint | undefined {
  const document = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 4; at < document.length - 1; ) {
    const type = document[at] as number;
    const key = keys.at(document, at + 1);
    const from = at + 2 + key.bytes.length;
    if (key.name === "_v") {
      if (type === TYPE.double) return document.readDoubleLE(from);
      if (type === TYPE.int64) return document.readBigInt64LE(from);
      return type === TYPE.int32 ? document.readInt32LE(from) : undefined;
    }
    const size = sizeOf(type, document, from);
    if (size === undefined) return undefined;
    at = from + size;
  }
  return undefined;
}

/** A text that is no UTF-8, which only another program can have stored, stops no stream. */
function textAt(bytes: Buffer, type: number, from: number): string | undefined {
  return type === TYPE.string ? bytes.toString("utf8", from + 4, from + 3 + bytes.readInt32LE(from)) : undefined;
}

function memberText(bytes: Buffer, type: number, object: number, name: string): string | undefined {
  if (type !== TYPE.object) return undefined;
  const end = object + bytes.readInt32LE(object) - 1;
  for (let at = object + 4; at < end; ) {
    const member = bytes[at] as number;
    const key = keys.at(bytes, at + 1);
    const from = at + 2 + key.bytes.length;
    if (key.name === name) return textAt(bytes, member, from);
    const size = sizeOf(member, bytes, from);
    if (size === undefined) return undefined;
    at = from + size;
  }
  return undefined;
}

/** Undefined for a type that only documents of other programs hold. */
function sizeOf(type: number, bytes: Buffer, value: number): number | undefined {
  const fixed = FIXED[type];
  if (fixed !== undefined) return fixed;
  switch (type) {
    case TYPE.string:
      return 4 + bytes.readInt32LE(value);
    case TYPE.object:
    case TYPE.array:
      return bytes.readInt32LE(value);
    case TYPE.binary:
      return 5 + bytes.readInt32LE(value);
    default:
      return undefined;
  }
}
