/** What one caller asks of two worlds: by chance, but the same of both. */
import type { Random } from "./trap-pool.ts";

export interface WorldRequest {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** The document whose version, as last told, goes into `If-Match` and in place of "VERSION". */
  readonly ifVersionOf?: string;
  /** Goes on after the page before, if there was one. */
  readonly follows?: boolean;
  /** It may create under a chosen id, or under a unique value. */
  readonly claims?: boolean;
}

interface Known {
  readonly visible: readonly string[];
  readonly hidden: readonly string[];
  readonly step: number;
  /** The last requests. */
  readonly asked: readonly WorldRequest[];
}

const FIELDS = ["title", "n", "ownerId", "teamId", "open", "score", "slug", "author", "items.price", "profile.city"];
const MASKED = ["secret", "memo", "notes", "price", "tag", "profile.phone", "items.cost", "profile", "items"];
const LITERALS: readonly unknown[] = ["a", "b", 1, 2, 3, true, null, "ME", "u2", "t1", "canary", "x"];
const POSTS = "/v1/documents/posts";

type Make = (random: Random, known: Known) => WorldRequest;

const MAKES: readonly (readonly [weight: number, make: Make])[] = [
  [4, get],
  [6, find],
  [3, group],
  [5, patch],
  [3, put],
  [3, create],
  [2, remove],
  [4, batch],
  [2, keyed],
  [1, member],
];
const ALL = MAKES.flatMap(([weight, make]) => Array.from({ length: weight }, () => make));

export function randomRequest(random: Random, known: Known): WorldRequest {
  return random.pick(ALL)(random, known);
}

/** A question that is watched. */
export function randomLive(random: Random, known: Pick<Known, "visible" | "hidden">): object {
  const collection = "posts";
  const ids = [...random.some(known.visible, 3), ...random.some(known.hidden, 3)];
  if (random.chance(25)) return { collection, get: { ids: [...new Set(ids)] } };
  if (random.chance(25)) {
    const { path, body } = group(random);
    return { collection, [path.slice(path.lastIndexOf("/") + 1)]: body };
  }
  const { expand: _expand, ...body } = find(random).body as { expand?: unknown };
  return { collection, find: body };
}

function get(random: Random, known: Known): WorldRequest {
  const id = anId(random, known);
  const query = [
    ...(random.chance(30) ? [`select=${random.some([...FIELDS, ...MASKED], 2).join(",")}`] : []),
    ...(random.chance(25) ? ["expand=author"] : []),
    ...(random.chance(10) ? ["types=plain"] : []),
  ];
  return {
    ...{ method: "GET", path: `${POSTS}/${id}${query.length > 0 ? `?${query.join("&")}` : ""}` },
    ...(random.chance(20) && { ifVersionOf: id }),
  };
}

function find(random: Random): WorldRequest {
  const body = {
    ...(random.chance(70) && { filter: aFilter(random, 2) }),
    ...(random.chance(60) && { sort: aSort(random) }),
    ...(random.chance(60) && { limit: 1 + random.below(4) }),
    ...(random.chance(30) && { select: random.some([...FIELDS, ...MASKED], 3) }),
    ...(random.chance(20) && { expand: ["author"] }),
  };
  return { method: "POST", path: `${POSTS}/query`, body, follows: random.chance(50) };
}

function group(random: Random): WorldRequest {
  const filter = random.chance(50) ? { filter: aFilter(random, 1) } : {};
  const path = aField(random);
  const [name, body] = random.pick<readonly [string, object]>([
    ["count", {}],
    ["distinct", { path }],
    ["aggregate", { group: [path], out: { n: { count: true } } }],
    ["aggregate", { group: ["title"], out: { all: { [random.pick(["sum", "min", "max", "avg"])]: path } } }],
  ]);
  return { method: "POST", path: `${POSTS}/${name}`, body: { ...filter, ...body } };
}

function patch(random: Random, known: Known): WorldRequest {
  const id = anId(random, known);
  const upsert = random.chance(15);
  return {
    ...{ method: "PATCH", path: `${POSTS}/${id}${upsert ? "?upsert=true" : ""}`, body: anUpdate(random) },
    ...(random.chance(25) && { ifVersionOf: id }),
    claims: upsert,
  };
}

function put(random: Random, known: Known): WorldRequest {
  const id = anId(random, known);
  const condition = random.pick<object>([{}, {}, { "if-none-match": "*" }, { "if-match": "*" }]);
  return {
    ...{ method: "PUT", path: `${POSTS}/${id}`, body: aDocument(random), headers: condition as Record<string, string> },
    claims: true,
  };
}

function create(random: Random, known: Known): WorldRequest {
  const chosen = random.chance(30) ? anId(random, known) : `new${known.step}`;
  return { method: "POST", path: POSTS, body: { _id: chosen, ...aDocument(random) }, claims: true };
}

function remove(random: Random, known: Known): WorldRequest {
  const id = anId(random, known);
  return { method: "DELETE", path: `${POSTS}/${id}`, ...(random.chance(30) && { ifVersionOf: id }) };
}

function batch(random: Random, known: Known): WorldRequest {
  const ids: string[] = [];
  const operations = Array.from({ length: 1 + random.below(3) }, () => {
    const id = anId(random, known);
    ids.push(id);
    const common = { collection: "posts", id };
    return random.pick<object>([
      { ...common, op: "check", ifVersion: 0 },
      { ...common, op: "check", ifVersion: "VERSION" },
      { ...common, op: "update", update: anUpdate(random) },
      { ...common, op: "update", update: anUpdate(random), upsert: true },
      { ...common, op: "set", document: aDocument(random) },
      { ...common, op: "create", document: aDocument(random) },
      { ...common, op: "delete" },
    ]);
  });
  return { method: "POST", path: "/v1/batch", body: { operations }, claims: true };
}

/** A write under a key, or the same once more. */
function keyed(random: Random, known: Known): WorldRequest {
  const before = known.asked.find(({ headers }) => headers?.["idempotency-key"] !== undefined);
  if (before && random.chance(60)) return before;
  const write = random.pick([patch, put, create, batch])(random, known);
  return { ...write, headers: { ...write.headers, "idempotency-key": `key${known.step}-${random.below(1e9)}` } };
}

function member(random: Random): WorldRequest {
  const id = random.pick(["mine0", "mine1", "other0", "other1", "none"]);
  return random.pick<WorldRequest>([
    { method: "GET", path: `/v1/documents/members/${id}` },
    { method: "GET", path: "/v1/documents/members" },
    { method: "DELETE", path: `/v1/documents/members/${id}` },
    { method: "GET", path: `/v1/documents/people/${random.pick(["a1", "a3", "a4"])}` },
  ]);
}

function anId(random: Random, { visible, hidden, step }: Known): string {
  if (random.chance(60) || hidden.length === 0) return random.pick(visible);
  if (random.chance(60)) return random.pick(hidden);
  return random.chance(50) ? "none" : `new${random.below(step + 1)}`;
}

function aField(random: Random): string {
  return random.chance(75) ? random.pick(FIELDS) : random.pick(MASKED);
}

function aSort(random: Random): readonly string[] {
  return random.some([aField(random), random.pick(FIELDS)], 2).map((path) => `${random.pick(["", "-"])}${path}`);
}

function aFilter(random: Random, depth: number): object {
  if (depth > 0 && random.chance(30)) {
    return { [random.pick(["$or", "$and", "$nor"])]: [aFilter(random, depth - 1), aFilter(random, depth - 1)] };
  }
  const literal = random.pick(LITERALS);
  const test = random.pick<unknown>([
    literal,
    { $ne: literal },
    { $in: [literal, random.pick(LITERALS)] },
    { $exists: random.chance(50) },
    { $gte: random.pick([1, 2, "a"]) },
    { $startsWith: random.pick(["a", "canary"]) },
    { $not: { $eq: literal } },
    { $type: random.pick(["string", "number", "null", "array"]) },
  ]);
  return { [aField(random)]: test };
}

function aDocument(random: Random): Record<string, unknown> {
  const document: Record<string, unknown> = {
    title: random.pick(["a", "z"]),
    ownerId: random.pick(["ME", "u2", null]),
  };
  if (random.chance(50)) document.n = random.pick<unknown>([1, 2, "no number"]);
  if (random.chance(40)) document.teamId = random.pick(["t1", "t2", "t3"]);
  if (random.chance(20)) document.open = random.chance(50);
  if (random.chance(20)) document.slug = random.pick(["h0-0", "h1-1", "v1", "new"]);
  if (random.chance(15)) document.profile = { city: "z" };
  if (random.chance(15)) document.items = [{ price: 9 }];
  if (random.chance(15)) document[random.pick(["secret", "notes", "price", "tag", "score", "memo"])] = "guess";
  return document;
}

function anUpdate(random: Random): object {
  const value = random.pick<unknown>(["a", "b", 1, null, "u2", "ME"]);
  return random.pick<object>([
    { $set: { [aField(random)]: value } },
    // What may be written and not read is of any type.
    { $set: { memo: random.pick<unknown>(["guess", 1, [1], { a: 1 }]) } },
    { $set: { [random.pick(["memo.a", "memo.0", "memo.$[]", "memo.a.b"])]: value } },
    { [random.pick(["$inc", "$mul", "$min", "$max", "$push", "$addToSet"])]: { memo: 1 } },
    random.pick<object>([{ $pop: { memo: 1 } }, { $unset: ["memo"] }, { $unset: ["memo.a"] }, { $now: ["memo"] }]),
    { title: "a", n: random.below(5) },
    { $inc: { [random.pick(["n", "score", "secret"])]: 1 } },
    { $unset: [aField(random)] },
    { $rename: { [aField(random)]: random.pick(["title", "other", "secret"]) } },
    { $push: { [random.pick(["items", "list", "secret"])]: { price: 1 } } },
    { $pull: { [random.pick(["items", "secret"])]: { cost: random.pick([1, 3]) } } },
    { $addToSet: { [random.pick(["list", "secret", "items"])]: "x" } },
    { $min: { [random.pick(["n", "memo", "price"])]: "a" } },
    { $set: { "profile.phone": "guess" } },
    { $set: { "items.0.cost": 3 } },
    { $setOnInsert: { ownerId: "ME" }, $set: { n: 3 } },
    { $set: { "items.$[x].price": 7 }, $arrayFilters: { x: { cost: random.pick([1, 3]) } } },
  ]);
}
