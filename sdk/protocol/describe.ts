import { isObjectValue } from "./values.ts";

/** Names what an input is, with its article, for messages such as "expects a string, got an array". */
export function describe(input: unknown): string {
  switch (typeof input) {
    case "undefined":
      return "nothing";
    case "boolean":
      return "a bool";
    case "bigint":
      return "an int64";
    case "number":
    case "string":
    case "symbol":
    case "function":
      return `a ${typeof input}`;
  }
  if (input === null) return "null";
  if (Array.isArray(input)) return input.length === 0 ? "an empty array" : "an array";
  if (input instanceof Date) return "a date";
  if (!isObjectValue(input)) return "a binary";
  const [first, ...more] = Object.keys(input);
  if (first === undefined) return "an empty object";
  return (more.length === 0 && TAGGED.get(first)) || "an object";
}

/** What an object of one such key stands for on the wire. */
const TAGGED = new Map([
  ["$date", "a date"],
  ["$numberLong", "an int64"],
  ["$binary", "a binary"],
]);
