/** Questions about fields that may not be read by whoever asks: `email`, `profile.email` and, of others, `notes`; R01 to R04. */
export const CANARY = "canary@example.org";

const tests = (value: string): readonly unknown[] => [
  value,
  ...["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$startsWith", "$endsWith", "$contains"].map((op) => ({
    [op]: value,
  })),
  ...["$in", "$nin", "$all"].map((op) => ({ [op]: [value] })),
  { $not: { $eq: value } },
  { $elemMatch: { $eq: value } },
];
const MORE = [{ $exists: true }, { $exists: false }, { $type: "string" }, { $size: 1 }, { $mod: [2, 1] }];
const ASKED = { email: CANARY };

/** Every operator, with a wrong guess and with a right one. */
export const GUESSES: readonly object[] = [...tests("canary"), ...tests(`${CANARY}0`), ...MORE].map((test) => ({
  email: test,
}));

/** The same one field, wherever a filter may name it. */
export const NESTED: readonly object[] = [
  ...[{ $or: [{ n: 1 }, ASKED] }, { $and: [{ n: 1 }, ASKED] }, { $nor: [ASKED] }, { $nor: [{ $or: [ASKED] }] }],
  ...[{ n: 1, ...ASKED }, { $or: [ASKED, { n: { $exists: true } }] }],
];

/** What holds a hidden field, or reaches into one. */
export const WHOLE_PARENTS: readonly object[] = [
  { profile: { email: CANARY } },
  { profile: { $elemMatch: { email: "x" } } },
  { profile: { $exists: true } },
];

export const SORTS: readonly (readonly string[])[] = [
  ...[["email"], ["-email"], ["n", "email"], ["profile.email"], ["profile"], ["notes"]],
];

/** What is computed over hidden fields: the name of the question, and its body. */
export const COMPUTED: readonly (readonly [door: "distinct" | "aggregate", body: object])[] = [
  ...["email", "profile", "profile.email", "notes"],
].flatMap((path) => [
  ["distinct", { path }] as const,
  ["aggregate", { group: [path], out: { n: { count: true } } }] as const,
  ...["sum", "avg", "min", "max"].map((op) => ["aggregate", { group: ["n"], out: { x: { [op]: path } } }] as const),
]);
