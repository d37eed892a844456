import type { Output } from "./aggregate.ts";
import { compare, MISSING } from "./compare.ts";
import { ExactSum } from "./exact-sum.ts";
import { normalNumbers } from "./normal-numbers.ts";
import type { Path } from "./paths.ts";
import { own } from "./paths.ts";
import type { ObjectValue, Value } from "./values.ts";
import { encodeValue, isObjectValue } from "./values.ts";

/** Gathers one output of one group. */
export interface Accumulator {
  /** Takes a document in. Returns by how many characters the text of what is held grew, for a bound on memory. */
  add(document: ObjectValue): number;
  /** Not finite if a sum is beyond the greatest double. */
  result(): Value;
}

/** A fresh accumulator for an output; query-language.md 5.6. */
export function accumulatorOf(output: Output): Accumulator {
  switch (output.op) {
    case "count":
      return new Count();
    case "sum":
      return new Sum(output.path);
    case "avg":
      return new Average(output.path);
    case "min":
      return new Extreme(output.path, -1);
    case "max":
      return new Extreme(output.path, 1);
  }
}

/**
 * The one value of a path in an aggregate, undefined if it is missing: through objects; at an array on the way, the
 * array of what its object elements give. Unlike in a filter, nothing is opened at the end.
 */
export function aggregateValue(value: Value, path: Path, from = 0): Value | undefined {
  if (from === path.length) return value;
  if (Array.isArray(value)) {
    const elements = (value as readonly Value[]).filter(isObjectValue);
    return elements.map((element) => aggregateValue(element, path, from)).filter((found) => found !== undefined);
  }
  const found = isObjectValue(value) ? own(value, path[from] as string) : MISSING;
  return found === MISSING ? undefined : aggregateValue(found, path, from + 1);
}

class Count implements Accumulator {
  #count = 0;

  add(): number {
    this.#count++;
    return 0;
  }

  result(): Value {
    return this.#count;
  }
}

class Sum implements Accumulator {
  protected readonly sum = new ExactSum();
  readonly #path: Path;

  constructor(path: Path) {
    this.#path = path;
  }

  add(document: ObjectValue): number {
    const value = aggregateValue(document, this.#path);
    if (typeof value === "number" || typeof value === "bigint") this.sum.add(value);
    return 0;
  }

  result(): Value {
    return this.sum.value();
  }
}

class Average extends Sum {
  override result(): Value {
    // A quotient below the least double is zero, and zero has no sign here.
    return this.sum.count === 0 ? null : this.sum.double() / this.sum.count || 0;
  }
}

class Extreme implements Accumulator {
  readonly #path: Path;
  readonly #sign: 1 | -1;
  #value: Value = null;
  #characters = 0;

  constructor(path: Path, sign: 1 | -1) {
    this.#path = path;
    this.#sign = sign;
  }

  add(document: ObjectValue): number {
    const value = aggregateValue(document, this.#path);
    if (value === undefined || value === null) return 0;
    if (this.#value !== null && compare(value, this.#value) * this.#sign <= 0) return 0;
    this.#value = normalNumbers(value);
    const before = this.#characters;
    // Small values need no counting, and counting is slow.
    this.#characters = typeof value === "number" || value instanceof Date ? 0 : encodeValue(value).length;
    return this.#characters - before;
  }

  result(): Value {
    return this.#value;
  }
}
