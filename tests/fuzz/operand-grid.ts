import type { Value } from "#protocol/values";
import { TRAP_SCALARS } from "../support/trap-pool.ts";
import type { WireFilter } from "./filters.ts";
import type { Stored } from "./mongod-find.ts";
import { wire } from "./pool.ts";

/** Documents and filters over them, every operand on every value: what chance would leave out. */
export interface Grid {
  readonly name: string;
  readonly documents: readonly Stored[];
  readonly filters: readonly WireFilter[];
}

/** One document a value, in the field `a`, then one with none, and one with all of them as an array. */
function documentsOf(values: readonly Value[]): Stored[] {
  const documents = values.map((value, i) => ({ _id: `d${i}`, a: value === 0 ? 0 : value }));
  return [...documents, { _id: "none" }, { _id: "all", a: values }];
}

function everyTest(operators: readonly string[], operands: readonly unknown[]): WireFilter[] {
  return operators.flatMap((name) => operands.map((operand) => ({ a: { [name]: operand } })));
}

const NESTED: readonly Value[] = [
  ...[[], [[]], [null], [1, 2], [2, 1], ["a"], [[1]], [{ b: 1 }]],
  ...[{}, { b: null }, { b: 2, c: 1 }, { c: 1, b: 2 }, { "1": 1, b: 2 }, { b: [1] }, { b: "1" }],
];

function comparisons(): Grid {
  const operands = [...TRAP_SCALARS, ...NESTED].map(wire);
  const bounds = TRAP_SCALARS.filter((value) => value !== null).map(wire);
  return {
    name: "every value compared with every other",
    documents: documentsOf([...TRAP_SCALARS, ...NESTED]),
    filters: [
      ...everyTest(["$eq", "$ne"], operands),
      ...everyTest(["$gt", "$gte", "$lt", "$lte"], bounds),
      { a: { $elemMatch: { $or: [{}] } } }, // any object or array
    ],
  };
}

/** Characters that mean something to a regular expression, or that some program takes for an end, a line or a space. */
const CHARACTERS = [
  ...Array.from({ length: 0x80 }, (_, i) => String.fromCharCode(i)),
  ...["\u0085", "\u00a0", "é", "ß", "ſ", "\u0130", "\u2028", "\ufeff", "\ufffe", "\uffff", "😀", "\u{10ffff}"],
];
const TEXTS = [
  "\\Q",
  "\\E",
  "\\Qx\\E",
  "(?i)x",
  "(*UTF8)",
  "x{2}",
  "x|y",
  "\\\\",
  "\\z",
  "\r\n",
  "\\x00",
  "\0\0",
  "x\0y",
];

function texts(): Grid {
  const long = ["\\", "\0", "😀"].map((character) => character.repeat(256));
  const operands = [...CHARACTERS, ...TEXTS, ...long];
  const strings = operands.flatMap((text) => [text, `x${text}`, `${text}x`, `x${text}y`, `${text}\n`]);
  return {
    name: "every character as a text operand",
    documents: documentsOf(strings),
    filters: everyTest(["$startsWith", "$endsWith", "$contains"], operands),
  };
}

function remainders(): Grid {
  const numbers = TRAP_SCALARS.filter((value) => typeof value === "number" || typeof value === "bigint");
  const divisors = [1, 2, 3, 7, 2 ** 31, 2 ** 53 - 1].flatMap((divisor) => [divisor, -divisor]);
  const operands = divisors.flatMap((divisor) => [0, 1, -1, 2, -2].map((remainder) => [divisor, remainder]));
  return {
    name: "every number by divisors of both signs",
    documents: documentsOf([...numbers, -1.5, -2.5, 2.5, -0.9, 3, -4, 7, -7, 2 ** 31, -(2 ** 31) - 1]),
    filters: everyTest(["$mod"], operands),
  };
}

/** Names that some program takes for an index, or for a member that every object or array has. */
const NAMES = [
  ...["0", "1", "00", "01", "-1", "+1", "1e0", "0x1", " 1", "1 ", "4294967295", "4294967296", "9".repeat(20)],
  ...["length", "toString", "hasOwnProperty", "é", "😀"],
];

function segments(): Grid {
  const values = NAMES.flatMap((name): Value[] => [
    ...[{ [name]: 1 }, [{ [name]: 1 }], [{ [name]: { b: 1 } }], { [name]: { [name]: 1 } }, [[{ [name]: 1 }]]],
    ...[{ b: { [name]: 1 } }, [{ [name]: [1] }], { b: [{ [name]: 1 }] }],
  ]);
  const documents = documentsOf([...values, [1, 2], [[1], [1, [1]]], { b: [1] }, [{ b: 1 }, { b: 1 }], 1, null]);
  const filters = NAMES.flatMap((name) => [
    ...[`a.${name}`, `a.${name}.b`, `a.b.${name}`, `a.${name}.${name}`].flatMap((path) =>
      [1, null, { $exists: true }].map((test) => ({ [path]: test })),
    ),
    ...[1, null].map((value) => ({ a: { $elemMatch: { [name]: value } } })),
  ]);
  return { name: "every odd name as a segment", documents, filters };
}

function sizes(): Grid {
  const lengths = [0, 1, 2, 2 ** 31 - 1, 2 ** 31, 2 ** 53 - 1];
  const filters = lengths.flatMap((length) => [
    { a: { $size: length } },
    { a: { $not: { $size: length } } },
    { a: { $elemMatch: { $size: length, $in: [[], [1]] } } },
  ]);
  return { name: "sizes no array has", documents: documentsOf([[], [1], [[]], [[1]], [[], []], 1]), filters };
}

export const GRIDS: readonly Grid[] = [comparisons(), texts(), remainders(), segments(), sizes()];
