import type { CompareOp } from "#protocol/ast";
import { compare, compareStrings, RANK, type Rank } from "#protocol/compare";
import type { Value } from "#protocol/values";

/** A place just before or just after a value, among the values of its class. Values are {@link flat}. */
export interface Edge {
  readonly value: Value;
  readonly after: boolean;
}

/** Values of one class between two edges; without an edge, from its first or to its last value. */
export interface Span {
  readonly from: Edge | undefined;
  readonly to: Edge | undefined;
}

/** How values are held here: a date by its milliseconds, as a number that the processor can compare. */
export function flat(value: Value): Value {
  return value instanceof Date ? value.getTime() : value;
}

/** Orders two flat values of one class. */
export type Order = (a: Value, b: Value) => number;

/** The order of a class, without what `compare` does to tell classes apart. */
export function orderOf(rank: Rank): Order {
  switch (rank) {
    case RANK.number:
    case RANK.date:
      return byNumber;
    case RANK.string:
      return (a, b) => compareStrings(a as string, b as string);
    default:
      return compare;
  }
}

/** JavaScript's `<` is exact between number and bigint. */
function byNumber(a: Value, b: Value): number {
  return (a as number) < (b as number) ? -1 : (a as number) > (b as number) ? 1 : 0;
}

export function spanOf(op: Exclude<CompareOp, "eq">, value: Value): Span {
  const edge = { value: flat(value), after: op === "gt" || op === "lte" };
  return op === "gt" || op === "gte" ? { from: edge, to: undefined } : { from: undefined, to: edge };
}

/** The strings that start with a text. */
export function spanOfPrefix(prefix: string): Span {
  const end = afterPrefix(prefix);
  return {
    from: { value: prefix, after: false },
    to: end === undefined ? undefined : { value: end, after: false },
  };
}

const LAST_CHARACTER = 0x10ffff;

/** The first string, in the order of UTF-8 bytes, after all that start with `prefix`; undefined if none is. */
function afterPrefix(prefix: string): string | undefined {
  const characters = Array.from(prefix, (character) => character.codePointAt(0) as number);
  while (characters.at(-1) === LAST_CHARACTER) characters.pop();
  const last = characters.pop();
  if (last === undefined) return undefined;
  // Surrogates are no characters.
  const next = last + 1 === 0xd800 ? 0xe000 : last + 1;
  return String.fromCodePoint(...characters, next);
}

/** Both conditions: at or after `from`, and at or before `to`, of the one and of the other. */
export function tightest(order: Order, a: Span, b: Span): Span {
  const from = !a.from || (b.from && compareEdges(order, b.from, a.from) > 0) ? b.from : a.from;
  const to = !a.to || (b.to && compareEdges(order, b.to, a.to) < 0) ? b.to : a.to;
  return { from, to };
}

function compareEdges(order: Order, a: Edge, b: Edge): number {
  return order(a.value, b.value) || Number(a.after) - Number(b.after);
}
