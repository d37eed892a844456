import { INT64_MAX, INT64_MIN } from "./values.ts";

/** From here on doubles are added as integers, which all of them are, so that no sum of partials can overflow. */
const HUGE = 2 ** 900;
/** Every finite double is a whole multiple of 2^-1074. */
const FRACTION_BITS = 1074;
const FRACTION_BITS_BIG = BigInt(FRACTION_BITS);

/**
 * The exact sum of any number of doubles and int64s, in any order, rounded once at the end; query-language.md 5.6.
 *
 * Doubles are kept as partials that do not overlap (Shewchuk, "Adaptive Precision Floating-Point Arithmetic", 1997, as
 * in Python's `math.fsum`): their exact sum is the sum so far. Integers beyond a double go to a bigint beside them.
 */
export class ExactSum {
  /** Ascending in magnitude. */
  readonly #partials: number[] = [];
  #integers = 0n;
  #count = 0;
  #doubles = 0;

  /** How many numbers were added. */
  get count(): number {
    return this.#count;
  }

  add(number: number | bigint): void {
    this.#count++;
    if (typeof number === "bigint") {
      this.#integers += number;
      return;
    }
    this.#doubles++;
    if (Math.abs(number) >= HUGE) this.#integers += BigInt(number);
    else this.#addPartial(number);
  }

  /** The sum as the language gives it: an int64 if all addends are and it fits, else a double; 0 of none. */
  value(): number | bigint {
    if (this.#count > 0 && this.#doubles === 0 && this.#integers >= INT64_MIN && this.#integers <= INT64_MAX) {
      return this.#integers;
    }
    return this.double();
  }

  /** The sum as the nearest double, ties to even. Infinite if it is beyond the greatest double. */
  double(): number {
    // Number() of a bigint rounds to nearest, ties to even.
    if (this.#partials.length === 0) return Number(this.#integers);
    if (this.#integers === 0n) return roundPartials(this.#partials);
    let whole = this.#integers << FRACTION_BITS_BIG;
    for (const partial of this.#partials) whole += fixedPoint(partial);
    return roundFixedPoint(whole);
  }

  #addPartial(number: number): void {
    const partials = this.#partials;
    let sum = number;
    let kept = 0;
    for (let i = 0; i < partials.length; i++) {
      let small = partials[i] as number;
      if (Math.abs(sum) < Math.abs(small)) [sum, small] = [small, sum];
      const high = sum + small;
      const low = small - (high - sum);
      if (low !== 0) partials[kept++] = low;
      sum = high;
    }
    partials.length = kept;
    if (sum !== 0) partials.push(sum);
  }
}

/** The sum of partials that do not overlap, rounded once. */
function roundPartials(partials: readonly number[]): number {
  let i = partials.length - 1;
  let high = partials[i] as number;
  let low = 0;
  while (low === 0 && i > 0) {
    const next = partials[--i] as number;
    const sum = high + next;
    low = next - (sum - high);
    high = sum;
  }
  // `high` was rounded to even on a tie; a further partial with the sign of the rest says that it was no tie.
  const beyond = i > 0 ? (partials[i - 1] as number) : 0;
  if ((low < 0 && beyond < 0) || (low > 0 && beyond > 0)) {
    const twice = low * 2;
    const other = high + twice;
    if (twice === other - high) return other;
  }
  return high;
}

const bits = new DataView(new ArrayBuffer(8));

/** A finite double as an integer number of 2^-1074. */
function fixedPoint(double: number): bigint {
  bits.setFloat64(0, double);
  const word = bits.getBigUint64(0);
  const exponent = (word >> 52n) & 0x7ffn;
  const fraction = word & 0xf_ffff_ffff_ffffn;
  const magnitude = exponent === 0n ? fraction : (fraction | (1n << 52n)) << (exponent - 1n);
  return word >> 63n ? -magnitude : magnitude;
}

/** An integer number of 2^-1074 as the nearest double, ties to even. */
function roundFixedPoint(whole: bigint): number {
  const magnitude = whole < 0n ? -whole : whole;
  const excess = magnitude.toString(16).length * 4 - 64;
  if (excess <= 0) return Number(whole) * 2 ** -FRACTION_BITS;
  // 61 bits or more are left, and the last one stands for all those cut off: enough for Number() to round as if they
  // were there. The result is then far above the subnormals, so the scaling is exact.
  const shift = BigInt(excess);
  const head = magnitude >> shift;
  const rounded = Number(head << shift === magnitude ? head : head | 1n) * 2 ** (excess - FRACTION_BITS);
  return whole < 0n ? -rounded : rounded;
}
