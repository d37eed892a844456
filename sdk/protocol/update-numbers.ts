import { INT64_MAX, INT64_MIN } from "./values.ts";

/** Why a result cannot be stored; a `details.reason` of `path_conflict`. */
export type NumberFault = "not_an_integer" | "int64_overflow" | "not_finite";

type Operation = "inc" | "mul";

/** Adds or multiplies. An int64 on either side needs integers on both and gives an exact int64. */
export function arithmetic(
  operation: Operation,
  a: number | bigint,
  b: number | bigint,
): number | bigint | NumberFault {
  if (typeof a === "number" && typeof b === "number") {
    const result = operation === "inc" ? a + b : a * b;
    if (!Number.isFinite(result)) return "not_finite";
    return result === 0 ? 0 : result;
  }
  const x = toInteger(a);
  const y = toInteger(b);
  if (x === undefined || y === undefined) return "not_an_integer";
  const result = operation === "inc" ? x + y : x * y;
  return result < INT64_MIN || result > INT64_MAX ? "int64_overflow" : result;
}

function toInteger(value: number | bigint): bigint | undefined {
  if (typeof value === "bigint") return value;
  return Number.isInteger(value) ? BigInt(value) : undefined;
}
