/** BSON types that take the same room whatever their value; bsonspec.org. */
const FIXED: Readonly<Record<number, number>> = { 1: 8, 7: 12, 8: 1, 9: 8, 10: 0, 16: 4, 17: 8, 18: 8, 19: 16 };
const STRING = 2;
const OBJECT = 3;
const ARRAY = 4;
const BINARY = 5;

/** A change event without its document, to be parsed, and that document, whose text is written from its bytes. */
export interface EventBytes {
  readonly event: Uint8Array;
  readonly document: Uint8Array | undefined;
}

const FULL_DOCUMENT = Buffer.from("fullDocument\0");

/** Takes the document out of an event, so that it is not parsed only to be written again. */
export function splitEvent(bytes: Uint8Array): EventBytes {
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 4; at < whole.length - 1; ) {
    const start = at;
    const type = whole[at] as number;
    const value = whole.indexOf(0, at + 1) + 1;
    const end = value + sizeOf(type, whole, value);
    const found = type === OBJECT && value - at === FULL_DOCUMENT.length + 1;
    if (found && whole.compare(FULL_DOCUMENT, 0, FULL_DOCUMENT.length, at + 1, value) === 0) {
      const event = Buffer.concat([whole.subarray(0, start), whole.subarray(end)]);
      event.writeInt32LE(event.length, 0);
      return { event, document: whole.subarray(value, end) };
    }
    at = end;
  }
  return { event: bytes, document: undefined };
}

function sizeOf(type: number, bytes: Buffer, value: number): number {
  const fixed = FIXED[type];
  if (fixed !== undefined) return fixed;
  switch (type) {
    case STRING:
      return 4 + bytes.readInt32LE(value);
    case OBJECT:
    case ARRAY:
      return bytes.readInt32LE(value);
    case BINARY:
      return 5 + bytes.readInt32LE(value);
    default:
      throw new Error(`a change event has a member of BSON type ${type}`);
  }
}
