import type { Key } from "#protocol/compare";
import { EMPTY } from "#protocol/compare";
import type { ObjectValue, Value } from "#protocol/values";
import { INT64_MAX, INT64_MIN } from "#protocol/values";

/** Random numbers from a seed (mulberry32), so that a failing case can be run again. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** An integer from 0 to below `limit`. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  /** `count` members of `items`, in random order. */
  some<T>(items: readonly T[], count: number): T[] {
    const left = [...items];
    return Array.from({ length: Math.min(count, left.length) }, () => left.splice(this.below(left.length), 1)[0] as T);
  }
}

const TWO_53 = 2 ** 53;

/** Scalars on which orders, encodings and matchers differ when they are wrong; many are neighbours of one another. */
export const TRAP_SCALARS: readonly Value[] = [
  null,
  ...[0, -0, 0n, 1, 1n, -1, -1n, 2, 0.5, -0.5, 1.5, 255, 256, -255, -256, 1e-320, -1e-320, Number.MIN_VALUE],
  ...[TWO_53 - 1, TWO_53, TWO_53 + 2, -TWO_53, -TWO_53 - 2, 1e300, -1e300, Number.MAX_VALUE, -Number.MAX_VALUE],
  ...[2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 53n + 2n, -(2n ** 53n), -(2n ** 53n) - 1n],
  ...[INT64_MAX, INT64_MAX - 1n, INT64_MAX - 1023n, INT64_MAX - 1024n, INT64_MIN, INT64_MIN + 1n, 2n ** 62n + 1n],
  ...[2 ** 63, -(2 ** 63), 2 ** 63 - 1024, 2 ** 62, 2 ** 64, -(2 ** 64)],
  ...["", "a", "b", "ab", "a\0", "a\0b", "a\u0001", "\0", "\0\0", "\u0001", "A", "aa", "10", "2", "é", "e\u0301"],
  ...["\ud7ff", "\ue000", "\uffff", "😀", "a😀", "a\uffff", "\u{10ffff}", "z".repeat(60), `${"z".repeat(60)}\0`],
  ...[new Uint8Array(), new Uint8Array([0]), new Uint8Array([0, 0]), new Uint8Array([255]), new Uint8Array([1, 2])],
  ...[false, true],
  ...[0, 1, -1, 1000, -1000, 2 ** 32, -(2 ** 32), 2 ** 32 - 1].map((time) => new Date(time)),
  ...["0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"].map((time) => new Date(time)),
];

const NAMES = ["a", "b", "c", "aa", "1", "10", "é", "😀", "\uffff"];

/** A value of any class, nested up to `depth` levels. */
export function trapValue(random: Random, depth: number, scalars: readonly Value[] = TRAP_SCALARS): Value {
  if (depth === 0 || random.chance(50)) return random.pick(scalars);
  const size = random.below(4);
  if (random.chance(50)) return Array.from({ length: size }, () => trapValue(random, depth - 1, scalars));
  const object: Record<string, Value> = {};
  for (const name of random.some(NAMES, size)) object[name] = trapValue(random, depth - 1, scalars);
  return object satisfies ObjectValue;
}

export function trapKey(random: Random, depth: number): Key {
  return random.chance(3) ? EMPTY : trapValue(random, depth);
}
