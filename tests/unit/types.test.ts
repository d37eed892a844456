/** What `galley types` writes must compile, whatever it is called, and take every document that the server takes. */
import fc from "fast-check";
import t from "tap";
import { Faults } from "../../sdk/protocol/errors.ts";
import { isObjectValue, type ObjectValue } from "../../sdk/protocol/values.ts";
import { type Known, writeTypes } from "../../server/cli/types/file.ts";
import { Seen } from "../../server/cli/types/seen.ts";
import { parseSchema } from "../../server/documents/schema/schema.ts";
import type { SchemaObject } from "../../server/documents/schema/walk.ts";
import { schemas } from "../support/schema-generator.ts";
import { expressionOf, valueFor } from "../support/schema-values.ts";
import { chooseSeed, seeded } from "../support/seeded.ts";
import { compile } from "../support/typescript.ts";

/** All of them are compiled as one program, since the compiler's start costs more than any. */
const FILES: Record<string, string> = {};

/** A collection with a schema that the server has taken. */
function known(name: string, source: object, filled: readonly string[] = []): Known {
  const faults = new Faults();
  const schema = parseSchema(structuredClone(source), "schema", faults);
  faults.throwIfAny();
  return { name, by: { schema: schema?.source as SchemaObject }, filled };
}

function seen(name: string, documents: readonly ObjectValue[]): Known {
  const all = new Seen();
  for (const document of documents) all.add(document);
  return { name, by: { seen: all, documents: documents.length }, filled: [] };
}

/** Literals keep their types, and what was written may hold more than its type names, as a document does. */
FILES["given.ts"] = `export declare const mark: unique symbol;
  type Mutable<T> = T extends Date | Uint8Array ? T
    : T extends object ? { -readonly [K in keyof T]: Mutable<T[K]> } : T;
  export declare function given<const V>(value: V): Mutable<V>;`;

/**
 * Gives every object a member in common with every object type: else the compiler takes one without any of the names that
 * a type knows, all of them optional, for a mistake.
 */
function marked(types: string): string {
  const [head, schema, ...declarations] = types.split("\nexport ");
  const objects = declarations.map((text) => text.replace(/\{(?=[ \n}])/g, "{ [mark]?: 1;"));
  return [`import type { mark } from "./given";\n${head}`, schema, ...objects].join("\nexport ");
}

const SCHEMAS = 200;
const seed = chooseSeed();
const random = seeded(seed);
let fitting = 0;
for (const [i, source] of fc.sample(schemas, { seed, numRuns: SCHEMAS }).entries()) {
  const schema = parseSchema(structuredClone(source), "schema", new Faults());
  if (!schema) continue;
  const fits = (value: ObjectValue) => {
    const faults = new Faults();
    try {
      schema.judge(value, "document", faults);
    } catch {
      // ajv's code for unevaluatedProperties beside a reference and patternProperties may fail: no verdict.
      return false;
    }
    return faults.list.length === 0;
  };
  const values = new Map<string, ObjectValue>();
  for (let n = 0; n < 40 && values.size < 6; n++) {
    const value = valueFor(schema.source, random);
    if (isObjectValue(value) && fits(value)) values.set(expressionOf(value), value);
  }
  fitting += values.size;
  const collections = [
    { name: "things", by: { schema: schema.source }, filled: [] },
    // The same documents, told by nothing but themselves.
    ...(values.size > 0 ? [seen("guesses", [...values.values()])] : []),
  ];
  FILES[`schema${i}.d.ts`] = marked(writeTypes(collections));
  FILES[`values${i}.ts`] = `import { createClient } from "@galley/sdk";
    import { given, mark } from "./given";
    import type * as types from "./schema${i}";
    const things = createClient<types.Schema>({ url: "" }).collection("things");
    export const some = things.find({}, { limit: 1 });
    ${[...values.keys()].map((text, n) => `const v${n} = given(${text}); export const thing${n}: types.Thing = v${n}; export const guess${n}: types.Guess = v${n};`).join("\n")}`;
}

// What stands in a file must never end what it stands in, nor mean something to the compiler.
const NASTY = [
  ...[
    '"',
    "'",
    "`",
    "\\",
    "a b",
    "a-b",
    "*/",
    "//",
    "/**",
    `n${"$"}{x}`,
    "\u2028",
    "\u202e",
    "\n",
    "\r",
    "\t",
    " ",
    "😀",
    "三",
    "é",
  ],
  ...["class", "new", "get", "set", "readonly", "static", "async", "declare", "toString", "valueOf", "hasOwnProperty"],
  ...["0", "1e3", "-1", "[key: string]", "#private", "@ts-expect-error", "</script>", "any", "undefined", "null", "K"],
];
const said =
  "*/ export const wrong: number = 'x'; /* \n@ts-expect-error\n// @ts-nocheck\r\u2028\u202e\0</script> \ud800";
const properties = Object.fromEntries(NASTY.map((name) => [name, { type: "integer", description: `${name}${said}` }]));
// A name that no document can hold may stand in a definition.
const $defs = JSON.parse(`{"__proto__": {"type": "string"}, "constructor": {"enum": ["c"]}}`);
for (const name of NASTY) $defs[name] = { type: "object", title: name, properties: { [name]: { const: name } } };
const pointer = (name: string) => encodeURIComponent(name.replaceAll("~", "~0").replaceAll("/", "~1"));
const COLLECTIONS = [
  ...[
    "constructor",
    "new",
    "date",
    "dates",
    "json",
    "schema",
    "schemas",
    "a-b",
    "a_b",
    "ab",
    "todo",
    "todos",
    "defined",
  ],
  ...["uint8array", "prototype", "type", "interface", "string", "any", "x".repeat(63), "a--", "people", "series", "s"],
];
FILES["nasty-types.d.ts"] = writeTypes(
  [
    known("nasty", { type: "object", description: said, required: NASTY, properties }),
    known("words", { type: "object", properties: { word: { enum: NASTY } }, required: ["word"] }),
    known("defs", {
      type: "object",
      properties: Object.fromEntries(
        Object.keys($defs).map((name, i) => [`p${i}`, { $ref: `#/$defs/${pointer(name)}` }]),
      ),
      $defs,
    }),
    known("inner", { properties: { in: { type: "object", required: ["__proto__", "a.b", "\ud800", ""] } } }),
    known("titled", { type: "object", title: "Schema", properties: { a: { type: "string" } } }),
    known("twins", { type: "object", title: "Todo", properties: { b: { type: "string" } } }),
    seen("found", [Object.fromEntries(NASTY.map((name) => [name, 1]))]),
    { name: "closed", by: { reason: said }, filled: [] },
    ...COLLECTIONS.map((name) => known(name, { type: "object", properties: { [`of_${name}`]: { type: "string" } } })),
  ],
  ["No @ts-nocheck."],
);
const all = (value: string) => `{ ${NASTY.map((name) => `${JSON.stringify(name)}: ${value}`).join(", ")} }`;
FILES["nasty.ts"] = `import { createClient, type Json } from "@galley/sdk";
  import type { Found, Nasty, Schema, Word } from "./nasty-types";
  export const nasty: Nasty = ${all("1")};
  export const found: Found = ${all("2")};
  export const words: Word[] = [${NASTY.map((name) => `{ word: ${JSON.stringify(name)} }`).join(", ")}];
  // @ts-expect-error not among them
  export const none: Word = { word: "none" };
  const db = createClient<Schema>({ url: "" });
  ${COLLECTIONS.map((name) => `db.collection("${name}").create({ of_${name.replaceAll("-", "_")}: "" });`)
    .filter((line) => !line.includes("-"))
    .join("\n")}
  db.collection("a-b").find({ "of_a-b": "x" });
  export const closed: Promise<Json | null> = db.collection("closed").get("a");
  // @ts-expect-error no such collection
  db.collection("nothing");`;

const USERS = { type: "object", required: ["name"], properties: { name: { type: "string" } } };
const TODOS = {
  type: "object",
  required: ["title", "done", "status", "owner", "place", "items", "n"],
  properties: {
    title: { type: "string" },
    done: { type: "boolean", default: false },
    n: { int64: true },
    due: { date: true },
    status: { enum: ["open", "closed"] },
    owner: { type: "string", ref: "users" },
    tags: { type: "array", items: { type: "string", ref: "users" } },
    place: {
      type: "object",
      required: ["city", "country"],
      properties: { city: { type: "string" }, country: { type: "string", default: "CH" } },
    },
    items: {
      type: "array",
      items: {
        type: "object",
        required: ["price", "count"],
        properties: {
          price: { type: "number" },
          count: { type: "number", default: 1 },
          by: { type: "string", ref: "users" },
        },
      },
    },
    shape: { oneOf: [{ $ref: "#/$defs/circle" }, { $ref: "#/$defs/square" }] },
    parent: { $ref: "#" },
  },
  $defs: {
    circle: {
      type: "object",
      required: ["kind", "r"],
      properties: { kind: { const: "circle" }, r: { type: "number" } },
    },
    square: {
      type: "object",
      required: ["kind", "a"],
      properties: { kind: { const: "square" }, a: { type: "number" } },
    },
  },
};
FILES["driven-types.d.ts"] = writeTypes([
  known("users", USERS),
  known("todos", TODOS, ["owner"]),
  seen("events", [
    { at: new Date(0), kind: "a", n: 1 },
    { at: new Date(0), kind: "b", n: 5n, by: { name: "x" } },
  ]),
]);
FILES["driven.ts"] = `import { createClient } from "@galley/sdk";
  import type { Schema } from "./driven-types";
  const db = createClient<Schema>({ url: "" });
  const todos = db.collection("todos");
  const fresh = { title: "x", status: "open" as const, n: 5n, place: { city: "Bern" }, items: [{ price: 1 }] };
  todos.create(fresh);
  todos.create({ ...fresh, done: true, owner: "u1", place: { city: "Bern", country: "DE" }, items: [{ price: 1, count: 2 }] });
  // @ts-expect-error the title has no default
  todos.create({ ...fresh, title: undefined });
  // @ts-expect-error nor has the city
  todos.create({ ...fresh, place: { country: "DE" } });
  // @ts-expect-error nor the price
  todos.create({ ...fresh, items: [{ count: 1 }] });
  // @ts-expect-error one of the two
  todos.create({ ...fresh, status: "gone" });
  // @ts-expect-error an int64
  todos.create({ ...fresh, n: 5 });
  // @ts-expect-error a circle has a radius
  todos.create({ ...fresh, shape: { kind: "circle", a: 1 } });
  todos.create({ ...fresh, shape: { kind: "circle", r: 1 } });
  export async function read() {
    const found = await todos.find({ status: "open", "items.price": { $gt: 1 }, due: { $lt: new Date() } }, { sort: "-n", expand: ["owner", "tags", "items.by"] });
    for (const { title, done, place, due, shape, _expanded } of found) {
      const told: [string, boolean, string, Date | undefined] = [title, done, place.country, due];
      const owner: string | undefined = _expanded.owner?.name;
      const tags: (string | undefined)[] | undefined = _expanded.tags?.map((tag) => tag?.name);
      const by: (string | undefined)[] = _expanded["items.by"].map((user) => user?.name);
      const size: number | undefined = shape?.kind === "circle" ? shape.r : shape?.a;
      void [told, owner, tags, by, size];
    }
    // @ts-expect-error no such status
    await todos.find({ status: "gone" });
    // @ts-expect-error no such field
    await todos.find({ titel: "x" });
    // @ts-expect-error text has no range with numbers
    await todos.find({ title: { $gt: 5 } });
    // @ts-expect-error no reference
    await todos.find({}, { expand: ["title"] });
    // @ts-expect-error users refer to nobody
    await db.collection("users").find({}, { expand: ["name"] });
    // @ts-expect-error nothing to sort by
    await todos.find({}, { sort: "-number" });
    // @ts-expect-error a date is set to a date
    await todos.update("a", { due: "2026-01-31" });
    await todos.update("a", { $inc: { n: 1 }, $push: { tags: "u2" }, $now: ["due"] });
    const events = await db.collection("events").find({ kind: "a", n: { $gte: 2 }, "by.name": "x" });
    for (const { at, kind, n, by } of events) {
      const told: [Date, string, number | bigint, string | undefined] = [at, kind, n, by?.name];
      void told;
    }
  }`;

t.comment(`${fitting} documents, GALLEY_TEST_SEED=${seed}`);
const out = await compile(t, FILES);
t.equal(out.slice(0, 6000), "", "all of it compiles, and takes what the server takes");
t.ok(fitting > SCHEMAS / 2, "and there was much to take");
t.notMatch(FILES["nasty-types.d.ts"], /[\u202e\u2028\0\ud800]|^ *(\/\*)?\*+ ?@ts-/m, "nothing hides in it");
