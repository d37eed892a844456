/** attack-cases.md N13: requests made from the OpenAPI document, most of them wrong somewhere. */
import { Ajv2020 } from "ajv/dist/2020.js";
import t from "tap";
import { type Answer, startApp } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";

interface Operation {
  readonly parameters?: readonly { name: string; in: "path" | "query" | "header" }[];
  readonly requestBody?: { readonly content: Record<string, { schema: Schema }> };
  readonly responses: Record<string, { readonly content?: Record<string, { readonly schema: Schema }> }>;
}
interface Schema {
  readonly type?: string | readonly string[];
  readonly properties?: Record<string, Schema>;
  readonly items?: Schema;
  readonly enum?: readonly unknown[];
}

const REQUESTS = 1000;
/** No request of this size may hold the server longer, even on a busy machine. */
const SLOWEST_MS = 3000;
const seed = Number(process.env.GALLEY_TEST_SEED ?? Math.floor(Math.random() * 2 ** 32));
let random = generator(seed);
const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
const chance = (share: number) => random() < share;

const NAMES = ["a", "b.c", "_id", "_v", "name", "$set", "$gt", "$or", "filter", "", "a.0", "__proto__", "limit", "ref"];
const SCALARS = [
  null,
  true,
  0,
  -0,
  1,
  -1,
  1.5,
  1e308,
  2 ** 53,
  "",
  "a",
  "posts",
  "$now",
  "x".repeat(300),
  "\u0000",
  "é\ud83d\ude00",
];
const OBJECTS = [
  {},
  [],
  { $date: 0 },
  { $numberLong: "9" },
  { $gt: 1 },
  { $in: [1, "a"] },
  { $inc: { a: 1 } },
  { paths: ["a"] },
  { $each: [1] },
];
const OPERATIONS = [
  { op: "set", collection: "posts", id: "a", document: { a: 1 } },
  { op: "update", collection: "posts", id: "a", update: { $push: { a: 1 } }, upsert: true },
  { op: "check", collection: "posts", id: "b", ifVersion: 0 },
];

function value(schema: Schema = {}, depth = 0): unknown {
  if (chance(0.15) || depth > 4) return chance(0.5) ? pick(SCALARS) : structuredClone(pick(OBJECTS));
  if (schema.enum && chance(0.8)) return pick(schema.enum);
  switch (
    typeof schema.type === "string" ? schema.type : pick(schema.type ?? ["object", "string", "array", "number"])
  ) {
    case "object":
      return object(schema, depth);
    case "array":
      return Array.from({ length: Math.floor(random() * 4) }, () => {
        return schema.items?.type === "object" && chance(0.5) ? pick(OPERATIONS) : value(schema.items, depth + 1);
      });
    case "integer":
    case "number":
      return pick([0, 1, 2, 10, 1000, 1001, -1, 1.5, 1e9]);
    case "boolean":
      return chance(0.5);
    case "null":
      return null;
    default:
      return pick(["a", "b", "posts", "-a", "owner", "", "p1"]);
  }
}

function object(schema: Schema, depth: number): object {
  const entries: [string, unknown][] = Object.entries(schema.properties ?? {})
    .filter(() => chance(0.7))
    .map(([name, inner]) => [name, value(inner, depth + 1)]);
  while (chance(schema.properties ? 0.1 : 0.6)) entries.push([pick(NAMES), value({}, depth + 1)]);
  return Object.fromEntries(entries);
}

function body(schema: Schema): string {
  const text = JSON.stringify(value(schema));
  return chance(0.03) ? text.slice(0, Math.floor(random() * text.length)) : text;
}

onEachEngine(t, (t, engine) => {
  t.test(`${REQUESTS} requests: no 5xx, every answer as described, none slow (seed ${seed})`, async (t) => {
    random = generator(seed);
    const app = await startApp({ engine, mode: "production" });
    t.teardown(() => app.close());
    const { json: api } = await app.send("GET", "/v1/openapi.json", { as: null });
    const operations = Object.entries(api.paths as Record<string, Record<string, Operation>>).flatMap(
      ([path, methods]) => {
        return Object.entries(methods).map(([method, operation]) => ({
          path,
          method: method.toUpperCase(),
          operation,
        }));
      },
    );
    const seen = new Map<number, number>();
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    ajv.addSchema(api, "api");
    const validators = new Map<object, ReturnType<typeof ajv.compile>>();

    /** What is wrong with an answer by its own description. */
    function fault({ status, text, json }: Answer, responses: Operation["responses"]): string | undefined {
      const response = responses[status];
      if (response === undefined) return "the status is not described";
      const schema = response.content?.["application/json"]?.schema as { $ref?: string } | undefined;
      if (schema === undefined || text === "") return undefined;
      const validate = validators.get(schema) ?? ajv.compile(schema.$ref ? { $ref: `api${schema.$ref}` } : schema);
      validators.set(schema, validate);
      return validate(json) ? undefined : `the body is not as described: ${ajv.errorsText(validate.errors)}`;
    }

    async function one(): Promise<void> {
      const { path, method, operation } = pick(operations);
      const { parameters = [], requestBody, responses } = operation;
      const url = path.replace(/\{\w+\}/g, () =>
        encodeURIComponent(pick(["posts", "users", "a", "b", "p1", "_keys", "x y", "A", "..", "%"])),
      );
      const query = parameters
        .filter((parameter) => parameter.in === "query" && chance(0.4))
        .map(
          ({ name }) =>
            `${name}=${encodeURIComponent(name === "filter" ? JSON.stringify(value({ type: "object" })) : String(pick(SCALARS)))}`,
        );
      if (chance(0.05)) query.push(pick(["x=1", "limit", "=", "%", "limit=1&limit=2", "__proto__=1"]));
      const headers: Record<string, string | undefined> = {};
      for (const { name } of parameters.filter((parameter) => parameter.in === "header" && chance(0.2))) {
        headers[name.toLowerCase()] = pick(["*", '"1"', '"1-0"', "x", "k1", "k2", '"', "W/", ","]);
      }
      const [[type, content] = []] = Object.entries(requestBody?.content ?? {});
      const ndjson = type !== undefined && type !== "application/json";
      if (ndjson) headers["content-type"] = type;
      if (chance(0.03))
        headers["content-type"] = pick(["text/plain", "application/json; charset=x", undefined as unknown as string]);
      const sent =
        content && !chance(0.05)
          ? ndjson
            ? `${body(content.schema)}\n${body(content.schema)}`
            : body(content.schema)
          : undefined;
      const target = query.length > 0 ? `${url}?${query.join("&")}` : url;

      const began = performance.now();
      const answer = await app.send(method, target, { body: sent, headers, as: chance(0.05) ? null : app.key });
      const took = performance.now() - began;
      seen.set(answer.status, (seen.get(answer.status) ?? 0) + 1);
      const request = `${method} ${target} ${JSON.stringify(headers)} ${sent?.slice(0, 500)}`;
      const wrong = answer.status >= 500 ? "a fault of the server" : fault(answer, responses);
      if (wrong !== undefined) t.fail(`${wrong}: ${answer.status} for ${request}: ${answer.text.slice(0, 300)}`);
      if (took > SLOWEST_MS) t.fail(`${took.toFixed(0)} ms for ${request}`);
    }

    for (let sent = 0; sent < REQUESTS; sent += 10) await Promise.all(Array.from({ length: 10 }, one));
    t.comment(
      `statuses: ${[...seen]
        .sort(([a], [b]) => a - b)
        .map(([status, count]) => `${status}: ${count}`)
        .join(", ")}`,
    );
    t.ok((seen.get(200) ?? 0) > REQUESTS / 20, "enough of them are right");
    t.equal((await app.send("GET", "/v1/ready", { as: null })).status, 200);
  });
});

/** mulberry32: small, seeded, good enough to choose by. */
function generator(start: number): () => number {
  let state = start >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
