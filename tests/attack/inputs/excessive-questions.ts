/** Questions that go beyond a limit; Q13, Q14. */
const many = <T>(count: number, make: (n: number) => T) => Array.from({ length: count }, (_, n) => make(n));

/** Filters of so many levels, as JSON: what is parsed may be as deep as what is written. */
export function deepFilters(levels: number): string[] {
  const nest = (open: string, close: string) => `${open.repeat(levels)}{"a":1}${close.repeat(levels)}`;
  return [
    nest('{"$and":[', "]}"),
    nest('{"$or":[{"a":1},', "]}"),
    nest('{"$nor":[', "]}"),
    nest('{"a":{"$elemMatch":', "}}"),
    `{"a":${'{"$not":'.repeat(levels)}{"$gt":1}${"}".repeat(levels)}}`,
  ];
}

export const EXCESSIVE_FINDS: readonly (readonly [name: string, body: object])[] = [
  ["257 values", { filter: { a: { $in: many(257, (n) => n) } } }],
  ["a million values", { filter: { a: { $in: many(1_000_000, (n) => n % 10) } } }],
  ["33 branches", { filter: { $or: many(33, (n) => ({ a: n })) } }],
  ["100,000 branches", { filter: { $or: many(100_000, (n) => ({ a: n })) } }],
  ["101 tests", { filter: Object.fromEntries(many(101, (n) => [`f${n}`, 1])) }],
  ["5 sort keys", { sort: many(5, (n) => `f${n}`) }],
  ["500 sort keys", { sort: many(500, (n) => `f${n}`) }],
  ["33 fields", { select: many(33, (n) => `f${n}`) }],
  ["50,000 fields", { select: many(50_000, (n) => `f${n}`) }],
  ["5 references", { expand: many(5, (n) => `f${n}`) }],
];

export const EXCESSIVE_GROUPS: object = { group: many(5, (n) => `f${n}`), out: { n: { count: true } } };
