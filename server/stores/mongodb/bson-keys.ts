import { keyFault } from "#protocol/values";

/** A key as the documents of a collection repeat it. */
export interface BsonKey {
  readonly name: string;
  /** Its bytes in BSON, without the NUL behind them. */
  readonly bytes: Uint8Array;
  /** `"name":` as JSON has it. */
  readonly json: Uint8Array;
  /** Whether some character is beyond ASCII. */
  readonly wide: boolean;
  /** Whether it is a legal key, and one that JavaScript leaves in its place: a number would come first. */
  readonly plain: boolean;
}

const SLOTS = 4096;
/** Longer keys are not kept. */
const LONGEST = 64;

/** Keys by their bytes, so that each is decoded once and not in every document. A new key takes the slot of an old one. */
export class BsonKeys {
  readonly #slots: (BsonKey | undefined)[] = new Array(SLOTS);

  /** The key that starts at a place and ends with NUL. */
  at(bytes: Buffer, start: number): BsonKey {
    let hash = 0;
    let end = start;
    for (let byte = bytes[end] as number; byte !== 0; byte = bytes[++end] as number) hash = (hash * 31 + byte) | 0;
    const slot = (hash ^ (hash >>> 12)) & (SLOTS - 1);
    const known = this.#slots[slot];
    if (known && isAt(known.bytes, bytes, start, end)) return known;
    const key = read(bytes, start, end);
    if (end - start <= LONGEST) this.#slots[slot] = key;
    return key;
  }
}

function isAt(key: Uint8Array, bytes: Buffer, start: number, end: number): boolean {
  if (key.length !== end - start) return false;
  for (let i = 0; i < key.length; i++) if (key[i] !== bytes[start + i]) return false;
  return true;
}

function read(bytes: Buffer, start: number, end: number): BsonKey {
  const name = bytes.toString("utf8", start, end);
  const json = Buffer.from(`${JSON.stringify(name)}:`);
  const plain = keyFault(name) === undefined && !/^[0-9]+$/.test(name) && !name.includes("\ufffd");
  return { name, bytes: Uint8Array.from(bytes.subarray(start, end)), json, wide: json.length > name.length + 3, plain };
}
