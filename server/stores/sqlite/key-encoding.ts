import type { Key } from "#protocol/compare";

/** The bytes of one key, ascending; query-language.md 8.1. */
export declare function encodeKey(key: Key): Buffer;

/** The bytes of a key tuple: its parts one after the other, descending ones inverted. Byte order is tuple order. */
export declare function encodeTuple(keys: readonly Key[], descending: readonly boolean[]): Buffer;
