import type { CompareOp } from "#protocol/ast";
import type { Value } from "#protocol/values";

/** A place just before or just after a value, among the values of its class. */
export interface Edge {
  readonly value: Value;
  readonly after: boolean;
}

/** Values of one class between two edges; without an edge, from its first or to its last value. */
export interface Span {
  readonly from: Edge | undefined;
  readonly to: Edge | undefined;
}

/** Orders two values of one class. */
export type Order = (a: Value, b: Value) => number;

export function spanOf(op: Exclude<CompareOp, "eq">, value: Value): Span {
  switch (op) {
    case "gt":
    case "gte":
      return { from: { value, after: op === "gt" }, to: undefined };
    case "lt":
    case "lte":
      return { from: undefined, to: { value, after: op === "lte" } };
  }
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

export function compareEdges(order: Order, a: Edge, b: Edge): number {
  return order(a.value, b.value) || Number(a.after) - Number(b.after);
}

/** Whether a value stands after the edge that a span begins with. */
export function isPast(order: Order, from: Edge | undefined, value: Value): boolean {
  if (!from) return true;
  const place = order(value, from.value);
  return place > 0 || (place === 0 && !from.after);
}

/** Whether a value stands before the edge that a span ends with. */
export function isBefore(order: Order, to: Edge | undefined, value: Value): boolean {
  if (!to) return true;
  const place = order(value, to.value);
  return place < 0 || (place === 0 && to.after);
}
