/** `galley types`: what it writes of collections with and without a schema, on each engine, and what it refuses. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { startApp, type TestApp } from "../support/app.ts";
import { galley, temporaryFolder } from "../support/command-line.ts";
import { onEachEngine } from "../support/engines.ts";
import { CLEAN_ENV } from "../support/programs.ts";
import { PROCESS_KEY, startGalley } from "../support/server-process.ts";
import { until } from "../support/until.ts";

const TODOS = {
  type: "object",
  description: "Things to do.",
  required: ["title", "done", "status"],
  properties: {
    title: { type: "string", description: "In a few words." },
    done: { type: "boolean", default: false },
    status: { enum: ["open", "closed"] },
    due: { date: true },
    size: { int64: true },
    photo: { binary: true },
    note: { type: ["string", "null"], deprecated: true },
    owner: { type: "string", ref: "users" },
    tags: { type: "array", items: { type: "string", ref: "users" } },
    at: { type: "array", prefixItems: [{ type: "number" }, { type: "number" }], items: false, minItems: 2 },
    address: { $ref: "#/$defs/address" },
    parent: { $ref: "#" },
    marks: { type: "object", additionalProperties: { type: "integer", enum: [1, 2, 3] } },
    look: { oneOf: [{ $ref: "#/$defs/icon" }, { $ref: "#/$defs/color" }, { type: "null" }] },
    more: { type: "object" },
    any: true,
  },
  $defs: {
    address: { type: "object", required: ["city"], properties: { city: { type: "string" }, zip: { type: "string" } } },
    icon: { type: "object", required: ["kind"], properties: { kind: { const: "icon" }, name: { type: "string" } } },
    color: { type: "object", required: ["kind"], properties: { kind: { const: "color" }, rgb: { type: "integer" } } },
  },
};

/** Apart, so that this text is no import of this file's own. */
const SDK = "@galley/sdk";

const WRITTEN = `// Written by \`galley types\` from a server's collections. What is changed here is lost.
import type { Defined, Json } from "${SDK}";

export interface Schema {
  events: Event;
  /** Any: it has no schema, and no document yet. */
  later: Json;
  notes: Defined<Note, { defaults: "ownerId"; refs: {} }>;
  todos: Defined<
    Todo,
    {
      defaults: "done" | "parent.done";
      refs: {
        owner: "users";
        "parent.owner": "users";
        "parent.tags": "users";
        tags: "users";
      };
    }
  >;
}

/** Inferred from fewer than 10 documents: \`events\` has no schema. */
export interface Event {
  at: Date;
  /** In about 75 % of the documents that were looked at. */
  by?: { id: string; name: string | null };
  counts: { [key: string]: number };
  kind: string | number | bigint;
  /** In about 50 % of the documents that were looked at. */
  list?: (string | { deep: unknown[] })[];
  /** In about 25 % of the documents that were looked at. */
  raw?: Uint8Array;
}

export interface Note {
  ownerId: string;
}

/** Things to do. */
export interface Todo {
  /** In a few words. */
  title: string;
  done: boolean;
  status: "open" | "closed";
  due?: Date;
  size?: bigint;
  photo?: Uint8Array;
  /** @deprecated */
  note?: string | null;
  owner?: string;
  tags?: string[];
  at?: [number, number];
  address?: TodoAddress;
  parent?: Todo;
  marks?: { [key: string]: 1 | 2 | 3 };
  look?: TodoIcon | TodoColor | null;
  more?: Json;
  any?: unknown;
}

export interface TodoAddress {
  city: string;
  zip?: string;
}

export interface TodoIcon {
  kind: "icon";
  name?: string;
}

export interface TodoColor {
  kind: "color";
  rgb?: number;
}
`;

const at = { $date: "2026-01-31T00:00:00.000Z" };
const EVENTS = [
  { at, kind: "secret-a", by: { id: "secret-b", name: null }, counts: { "100001": 1 }, list: [] },
  { at, kind: 5, by: { id: "x", name: "secret-c" }, counts: { "100002": 2, "100003": 4 }, list: ["secret-d"] },
  { at, kind: { $numberLong: "7" }, counts: {}, by: { id: "y", name: "z" } },
  { at, kind: "b", counts: { "100004": 5 }, raw: { $binary: { base64: "AQ==", subType: "00" } } },
];

async function prepare(app: TestApp): Promise<void> {
  const make = async (path: string, body: object) => {
    const { status, text } = await app.send("POST", path, { body });
    if (status >= 300) throw new Error(text);
  };
  await make("/v1/admin/collections", { name: "todos", schema: TODOS });
  await make("/v1/admin/collections", { name: "notes", template: "owner" });
  await make("/v1/admin/collections", { name: "later" });
  for (const [i, event] of EVENTS.entries()) await make("/v1/documents/events", { _id: `e${i}`, ...event });
  await make("/v1/documents/events/query", {});
  const deep = await app.send("PATCH", "/v1/documents/events/e1", { body: { $push: { list: { deep: [] } } } });
  if (deep.status !== 200) throw new Error(deep.text);
}

onEachEngine(t, async (t, engine) => {
  const app = await startApp({ engine });
  t.teardown(() => app.close());
  await prepare(app);
  const folder = temporaryFolder(t);
  const types = (args: readonly string[] = [], key = app.key) =>
    galley(folder, ["types", "--url", app.url, ...args], { GALLEY_SERVICE_KEY: key });
  const keyFor = async (...scopes: string[]): Promise<string> =>
    (await app.send("POST", "/v1/admin/keys", { body: { name: "types", scopes } })).json.secret;

  await t.test(
    "schemas and documents become types, the same ones each time, without a document's values",
    async (t) => {
      const { code, out, err } = await types();
      t.equal(out, WRITTEN);
      t.same([code, err], [0, ""]);
      t.notMatch(out, /secret|1000/);
      t.equal((await types()).out, out);
      t.equal(JSON.parse((await types(["--json"])).out).types, out);
    },
  );

  await t.test("a file is written only if it changes, and never over one that is somebody's own", async (t) => {
    const file = join(folder, "galley.d.ts");
    t.match(await types(["--out", file]), { code: 0, out: "", err: `wrote ${file}: 4 collections\n` });
    t.equal(readFileSync(file, "utf8"), WRITTEN);
    t.match(await types(["--out", file, "--json"]), {
      code: 0,
      out: `${JSON.stringify({ file, collections: 4, changed: false })}\n`,
      err: `${file} is up to date: 4 collections\n`,
    });
    writeFileSync(file, "export const mine = 1;\n");
    t.match(await types(["--out", file]), { code: 1, err: /was not written by galley types/ });
    t.equal(readFileSync(file, "utf8"), "export const mine = 1;\n");
    const nowhere = join(folder, "none/galley.d.ts");
    t.match(await types(["--out", nowhere]), {
      code: 1,
      err: `galley types: cannot write ${nowhere}: there is no such folder\n`,
    });
  });

  await t.test(
    "what a key may not know is left out and said; without collections there is nothing to write",
    async (t) => {
      const { out } = await types([], await keyFor("admin:collections:read", "documents:later:list"));
      t.match(out, /\n\/\/ Defaults of access rules are not in here: the key has no scope admin:rules:read\.\n/);
      t.match(out, / {2}\/\*\* Any: .* the key has no scope documents:events:list .*\*\/\n {2}events: Json;\n/);
      t.match(out, /notes: Defined<Note, \{ refs: \{\} \}>/);
      const listing = await types([], await keyFor("documents:*:*"));
      t.match(listing, { code: 1, out: "", err: /^galley types: .*\(permission_denied\)\n$/ });
      t.match(await types(["--watch"]), { code: 1, err: /^galley types: --watch needs --out/ });
      t.match(await types(["src/x.ts"]), { code: 2, err: /expects no argument "src\/x.ts"/ });
      t.match(await types([], "gsk_none"), { code: 1, err: /\(unauthenticated\)/ });
      const nobody = await galley(folder, ["types", "--url", "http://127.0.0.1:1"], { GALLEY_SERVICE_KEY: app.key });
      t.match(nobody, { code: 1, err: /^galley types: http:\/\/127.0.0.1:1 does not answer: .*\n$/ });
    },
  );

  await t.test("of many documents the first and the last are looked at, however large they are", async (t) => {
    const load = async (name: string, documents: readonly object[]) => {
      const body = documents.map((document) => JSON.stringify(document)).join("\n");
      const headers = { "content-type": "application/x-ndjson" };
      const { status } = await app.send("POST", `/v1/admin/collections/${name}/import`, { body, headers });
      t.equal(status, 200);
    };
    const many = Array.from({ length: 1300 }, (_, i) => ({ _id: `m${1000 + i}`, [i < 100 ? "old" : "new"]: i }));
    await load("many", [...many, { _id: "n", newest: true }]);
    await load(
      "large",
      Array.from({ length: 12 }, (_, i) => ({ _id: `l${i}`, text: "x".repeat(800_000), n: i })),
    );
    const { out } = await types();
    t.match(
      out,
      /from 1,000 documents: .*\nexport interface Many \{(\n.*){2} new\?: number;(\n.*){2} newest\?: boolean;/,
    );
    t.match(out, / {2}old\?: number;\n\}/);
    t.match(out, /export interface Large \{\n {2}n: number;\n {2}text: string;\n\}/);
  });
});

t.test("--watch keeps the file as the collections are, through a restart, until it is interrupted", async (t) => {
  const folder = temporaryFolder(t);
  const out = temporaryFolder(t);
  const file = join(out, "galley.d.ts");
  t.match(await galley(folder, ["types", "--watch", "--out", file]), {
    code: 1,
    err: "galley types: no server runs on this data folder: start one with galley dev\n",
  });
  let server = await startGalley(folder);
  t.teardown(() => server.end("SIGTERM"));
  const clean = 'unset NODE_OPTIONS; exec "$0" server/galley.cjs types --watch --out "$@"';
  const env = { ...CLEAN_ENV, GALLEY_DATA_DIR: folder };
  const child = spawn("sh", ["-c", clean, process.execPath, file], { env, stdio: ["ignore", "pipe", "pipe"] });
  t.teardown(() => child.kill("SIGKILL"));
  const closed = once(child, "close");
  let told = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (told += chunk.toString()));
  const send = async (method: string, path: string, body: object) => {
    const headers = { authorization: `Bearer ${PROCESS_KEY}`, "content-type": "application/json" };
    const { status } = await fetch(server.url + path, { method, headers, body: JSON.stringify(body) });
    if (status >= 300) throw new Error(`${method} ${path}: ${status}`);
  };
  const holds = (text: string) =>
    until(() => existsSync(file) && readFileSync(file, "utf8").includes(text), 30, `the file holds ${text}`);

  await holds("export interface Schema {\n}");
  await send("POST", "/v1/admin/collections", { name: "todos", schema: { properties: { title: { type: "string" } } } });
  await holds("  title?: string;");
  await send("PATCH", "/v1/admin/collections/todos", { schema: { properties: { done: { type: "boolean" } } } });
  await holds("  done?: boolean;");
  await send("POST", "/v1/documents/events", { n: 1 });
  await holds("  n: number;");

  const { port } = new URL(server.url);
  await server.end("SIGTERM");
  await until(() => told.includes("the server does not answer: trying again"), 30, "that it is gone is told");
  server = await startGalley(folder, { GALLEY_PORT: port });
  await send("POST", "/v1/documents/events", { n: "text" });
  await holds("  n: string | number;");

  child.kill("SIGINT");
  t.same(await closed, [0, null]);
  const lines = told.trimEnd().split("\n");
  t.equal(lines.filter((line) => line.startsWith(`wrote ${file}: `)).length, lines.length - 1, told);
  t.match(lines[0], /: 0 collections$/);
  t.match(lines.at(-1), /: 2 collections$/);
  t.same(readdirSync(out), ["galley.d.ts"], "and leaves nothing else");
});
