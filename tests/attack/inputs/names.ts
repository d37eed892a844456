/** Text that would mean something to SQL, JSON paths, BSON or JavaScript if a name were ever pasted into them; Q11. */
export const PASTED_NAMES: readonly string[] = [
  "'",
  '"',
  "]",
  "[0]",
  ";",
  "--",
  "/*",
  "')) OR 1=1 --",
  "a' OR '1'='1",
  'x" UNION SELECT data FROM "d_notes" --',
  '"); DROP TABLE "d_notes"; --',
  "$[0]",
  "`",
  "\\",
  "%",
  "_",
  "a') AS b, (WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM r LIMIT 100000000) SELECT count(*) FROM r) --",
  "#{7*7}",
  "{{7*7}}",
  "\u2028",
  "\ufeffa",
  "toString",
  "hasOwnProperty",
  "valueOf",
  "length",
];

/** Keys that are no keys; query-language.md 1.4. JSON text, because some can only be written so. */
export const FORBIDDEN_KEYS: readonly string[] = [
  '"__proto__"',
  '"constructor"',
  '"prototype"',
  '"_bsontype"',
  '""',
  '"a.b"',
  '".a"',
  '"a."',
  '"$set"',
  '"$where"',
  '"a\\u0000b"',
  '"\\ud800"',
  '"x\\udc00y"',
];

/** Names of properties that JavaScript objects inherit: plain data here, and never called. */
export const INHERITED_NAMES: readonly string[] = [
  "toBSON",
  "toJSON",
  "then",
  "valueOf",
  "toString",
  "hasOwnProperty",
  "length",
];

/** Ids that are no ids, as JSON; Q05, Q06. */
export const FALSE_IDS: readonly unknown[] = [
  { $ne: null },
  { $gt: "" },
  ["x"],
  [],
  1,
  true,
  null,
  "",
  ".",
  "..",
  "a/b",
  "a b",
  "a\u0000b",
  "$auth.id",
  "é",
  "a\nb",
  "a\\b",
  "a'b",
  "x".repeat(129),
  "x".repeat(1_000_000),
];

/** Ids that look like something else and are only text. */
export const PLAIN_IDS: readonly string[] = [
  "role:admin",
  "true",
  "constructor",
  "__proto__",
  "null",
  "0",
  "-1",
  "toString",
  "a.b",
  "...",
  "~",
  "@me",
  "_id",
];
