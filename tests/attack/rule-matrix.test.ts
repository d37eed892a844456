/**
 * The path matrix of access-rules.md 14.1: every way to a document against every kind of caller and every kind of rule, on
 * both engines from one table. A route of documents without a row fails.
 */
import t from "tap";
import { type Answer, startApp, type TestApp } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";
import { publishRules } from "../support/publish-rules.ts";

/** Collections by what their rules say; documents are Ann's, and of no team. */
const RULES = {
  none: undefined,
  closed: { list: false, get: false, create: false, update: false, delete: false },
  open: { list: true, get: true, create: true, update: true, delete: true },
  signed: everywhere({ "$auth.id": { $exists: true } }),
  owner: everywhere({ ownerId: "$auth.id" }),
  readers: { ...everywhere({ ownerId: "$auth.id" }), list: true, get: true },
  editors: everywhere({ "$auth.roles": "editor" }),
  team: everywhere({ teamId: { $in: "$lookup.mine" } }),
  banned: { ...everywhere({ $nor: [{ $has: "ban" }] }), list: { _id: { $nin: "$lookup.bans" } } },
};
const LOOKUPS = {
  mine: { from: "members", where: { userId: "$auth.id" }, select: "teamId" },
  bans: { from: "bans", where: { userId: "$auth.id" }, select: "documentId" },
  ban: { from: "bans", where: { userId: "$auth.id" } },
};

function everywhere(rule: object) {
  return { list: rule, get: rule, create: rule, update: rule, delete: rule };
}

const ONE = "/v1/documents/{collection}/{id}";
const ALL = "/v1/documents/{collection}";

/**
 * What nobody, a guest, Ann, Bob, an editor, a key that may list and a full key are told: `-` 401, `x` 403, `0` 404, `e` an
 * empty answer, `o` what they want.
 */
const ROWS: Readonly<Record<string, string>> = {
  // none  closed  open  signed  owner  readers  editors  team  banned
  [`GET ${ALL}`]: "xxxxxoo xxxxxoo ooooooo -oooooo -eoeeoo ooooooo -xxxooo -eeeeoo -oooooo",
  [`POST ${ALL}/query`]: "xxxxxoo xxxxxoo ooooooo -oooooo -eoeeoo ooooooo -xxxooo -eeeeoo -oooooo",
  [`POST ${ALL}/count`]: "xxxxxoo xxxxxoo ooooooo -oooooo -eoeeoo ooooooo -xxxooo -eeeeoo -oooooo",
  [`POST ${ALL}/distinct`]: "xxxxxoo xxxxxoo ooooooo -oooooo -eoeeoo ooooooo -xxxooo -eeeeoo -oooooo",
  [`POST ${ALL}/aggregate`]: "xxxxxoo xxxxxoo ooooooo -oooooo -eoeeoo ooooooo -xxxooo -eeeeoo -oooooo",
  [`GET ${ONE}`]: "xxxxxxo xxxxxxo oooooxo -ooooxo -0o00xo oooooxo -xxxoxo -0000xo -ooooxo",
  [`POST ${ALL}`]: "xxxxxxo xxxxxxo oooooxo -ooooxo -xoxxxo -xoxxxo -xxxoxo -xxxxxo -ooooxo",
  [`PUT ${ONE}`]: "xxxxxxo xxxxxxo oooooxo -ooooxo -xoxxxo -xoxxxo -xxxoxo -xxxxxo -ooooxo",
  [`PUT ${ONE} anew`]: "xxxxxxo xxxxxxo oooooxo -ooooxo -xoxxxo -xoxxxo -xxxoxo -xxxxxo -ooooxo",
  [`PATCH ${ONE}`]: "xxxxxxo xxxxxxo oooooxo -ooooxo -0o00xo -xoxxxo -xxxoxo -0000xo -ooooxo",
  [`PATCH ${ONE} away`]: "xxxxxxo xxxxxxo oooooxo -ooooxo -0x00xo -xxxxxo -xxxoxo -0000xo -ooooxo",
  [`DELETE ${ONE}`]: "xxxxxxo xxxxxxo oooooxo -ooooxo -0o00xo -xoxxxo -xxxoxo -0000xo -ooooxo",
  "POST /v1/batch create": "xxxxxxo xxxxxxo oooooxo -ooooxo -xoxxxo -xoxxxo -xxxoxo -xxxxxo -ooooxo",
  "POST /v1/batch set": "xxxxxxo xxxxxxo oooooxo -ooooxo -xoxxxo -xoxxxo -xxxoxo -xxxxxo -ooooxo",
  "POST /v1/batch update": "xxxxxxo xxxxxxo oooooxo -ooooxo -0o00xo -xoxxxo -xxxoxo -0000xo -ooooxo",
  "POST /v1/batch delete": "xxxxxxo xxxxxxo oooooxo -ooooxo -0o00xo -xoxxxo -xxxoxo -0000xo -ooooxo",
  "POST /v1/batch check": "xxxxxxo xxxxxxo oooooxo -ooooxo -0o00xo oooooxo -xxxoxo -0000xo -ooooxo",
};

interface Case {
  readonly id: string;
  readonly collection: string;
}

/** What is sent for a row: the route, or an operation of a batch. */
const WAYS: Readonly<Record<string, (at: Case) => readonly [method: string, path: string, body?: object]>> = {
  [`GET ${ALL}`]: ({ collection }) => ["GET", `/v1/documents/${collection}`],
  [`POST ${ALL}/query`]: ({ collection }) => ["POST", `/v1/documents/${collection}/query`, {}],
  [`POST ${ALL}/count`]: ({ collection }) => ["POST", `/v1/documents/${collection}/count`, {}],
  [`POST ${ALL}/distinct`]: ({ collection }) => ["POST", `/v1/documents/${collection}/distinct`, { path: "n" }],
  [`POST ${ALL}/aggregate`]: ({ collection }) => [
    ...(["POST", `/v1/documents/${collection}/aggregate`] as const),
    { group: ["n"], out: { n: { count: true } } },
  ],
  [`GET ${ONE}`]: ({ collection, id }) => ["GET", `/v1/documents/${collection}/${id}`],
  [`POST ${ALL}`]: ({ collection }) => ["POST", `/v1/documents/${collection}`, { ownerId: "ann", n: 1 }],
  [`PUT ${ONE}`]: ({ collection, id }) => ["PUT", `/v1/documents/${collection}/${id}`, { ownerId: "ann", n: 2 }],
  [`PUT ${ONE} anew`]: ({ collection, id }) => ["PUT", `/v1/documents/${collection}/new-${id}`, { ownerId: "ann" }],
  [`PATCH ${ONE}`]: ({ collection, id }) => ["PATCH", `/v1/documents/${collection}/${id}`, { n: 3 }],
  [`PATCH ${ONE} away`]: ({ collection, id }) => ["PATCH", `/v1/documents/${collection}/${id}`, { ownerId: "bob" }],
  [`DELETE ${ONE}`]: ({ collection, id }) => ["DELETE", `/v1/documents/${collection}/${id}`],
  "POST /v1/batch create": (at) => batch({ op: "create", collection: at.collection, document: { ownerId: "ann" } }),
  "POST /v1/batch set": (at) => batch({ op: "set", ...at, document: { ownerId: "ann", n: 4 } }),
  "POST /v1/batch update": (at) => batch({ op: "update", ...at, update: { n: 5 } }),
  "POST /v1/batch delete": (at) => batch({ op: "delete", ...at }),
  "POST /v1/batch check": (at) => batch({ op: "check", ...at, ifVersion: 1 }),
};

function batch(operation: object): readonly [string, string, object] {
  return ["POST", "/v1/batch", { operations: [operation] }];
}

function letterOf({ status, json, text }: Answer): string {
  if (status === 401) return "-";
  if (status === 403) return "x";
  if (status === 404) return "0";
  // A check of another version: it was let through to that.
  if (status === 412) return "o";
  if (status >= 300) return `(${status} ${text})`;
  const found = json?.documents ?? json?.values ?? json?.groups ?? json?.count;
  return found === 0 || found?.length === 0 ? "e" : "o";
}

async function callersOf(app: TestApp) {
  const come = async (path: string, body: object) => {
    const { session } = (await app.send("POST", `/v1/auth/${path}`, { body, as: null })).json;
    return { id: session.user.id as string, token: session.accessToken as string };
  };
  const signUp = (name: string) => come("sign-up", { email: `${name}@example.org`, password: "plum-orbit-lantern-42" });
  const [ann, bob, editor] = [await signUp("ann"), await signUp("bob"), await signUp("editor")];
  await app.send("PATCH", `/v1/admin/users/${editor.id}`, { body: { roles: ["editor"] } });
  const scopes = Object.keys(RULES).map((name) => `documents:${name}:list`);
  const key = (await app.send("POST", "/v1/admin/keys", { body: { name: "n", scopes } })).json.secret as string;
  const guest = await come("anonymous", {});
  return { ann, bob, tokens: [null, guest.token, ann.token, bob.token, editor.token, key, app.key] as const };
}

onEachEngine(t, async (t, engine) => {
  const app = await startApp({
    engine,
    mode: "production",
    env: { GALLEY_SECRET: "a secret of the matrix that is long enough for it" },
  });
  t.teardown(() => app.close());
  const { ann, bob, tokens } = await callersOf(app);
  const send = (method: string, path: string, as: string | null, body?: object) => {
    const named = JSON.stringify(body)?.replaceAll('"ann"', `"${ann.id}"`).replaceAll('"bob"', `"${bob.id}"`);
    return app.send(method, path, { as, body: named });
  };
  const collections = Object.fromEntries(Object.entries(RULES).filter(([, rules]) => rules !== undefined));
  const rules = { format: 1, shared: { lookups: LOOKUPS }, collections };
  await publishRules(app, rules);

  const cells = Object.keys(RULES).flatMap((collection) =>
    Object.keys(WAYS).flatMap((way, w) => tokens.map((token, c) => ({ collection, way, token, id: `d${w}-${c}` }))),
  );
  for (let i = 0; i < cells.length; i += 400) {
    const operations = cells.slice(i, i + 400).map(({ collection, id }) => ({
      op: "create",
      collection,
      id,
      document: { ownerId: "ann", teamId: "t1", n: 1 },
    }));
    t.equal((await send("POST", "/v1/batch", app.key, { operations })).status, 200);
  }
  // Somebody is in a team, and somebody is banned, but none of the callers.
  await send("PUT", "/v1/documents/members/m1", app.key, { teamId: "t1", userId: "zoe" });
  await send("PUT", "/v1/documents/bans/b1", app.key, { documentId: "d1", userId: "zoe" });
  const found: Record<string, string> = {};
  for (const { collection, way, token, id } of cells) {
    const [method, path, body] = (WAYS[way] as (typeof WAYS)[string])({ collection, id });
    const letter = letterOf(await send(method, path, token, body));
    const before = found[way];
    const between = before !== undefined && token === null ? " " : "";
    found[way] = `${before ?? ""}${between}${letter}`;
  }
  t.strictSame(found, ROWS);

  const { paths } = (await app.send("GET", "/v1/openapi.json", { as: null })).json;
  const routes = Object.entries(paths as Record<string, object>)
    .filter(([path]) => path.startsWith("/v1/documents") || path === "/v1/batch")
    .flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`));
  const unmatched = routes.filter(
    (route) => !Object.keys(ROWS).some((row) => row === route || row.startsWith(`${route} `)),
  );
  t.strictSame(unmatched, [], "every route of documents has a row");

  t.test("W10 whoever is not signed in is told so where every lookup asks who they are", async (t) => {
    const lookups = {
      mine: { from: "members", where: { userId: "$auth.id" }, select: "teamId" },
      ours: { from: "orgs", where: { teamId: { $in: "$lookup.mine" } }, select: "orgId" },
      runs: { from: "members", where: { userId: "$auth.id", teamId: "$doc.teamId" } },
      open: { from: "members", where: { public: true }, select: "teamId" },
      staff: { from: "members", where: { "$auth.roles": "staff" }, select: "teamId" },
    };
    const has = { $has: "runs" };
    const inside = (name: string) => ({ teamId: { $in: `$lookup.${name}` } });
    await publishRules(app, {
      format: 1,
      shared: { lookups },
      collections: {
        a: {
          list: inside("mine"),
          get: has,
          create: has,
          update: { before: true, after: has },
          delete: { $nor: [has] },
        },
        b: { list: inside("ours"), get: "list", create: inside("ours") },
        c: { list: { $or: [inside("open"), inside("mine")] }, get: "list" },
        d: { list: inside("staff"), get: { teamId: { $nin: "$lookup.staff" } } },
      },
    });
    for (const name of ["a", "b", "c", "d"])
      await app.send("PUT", `/v1/documents/${name}/x`, { body: { teamId: "t" } });
    const batch = (op: string, more = {}) => ({ operations: [{ op, collection: "a", id: "x", ...more }] });
    const rows: [method: string, path: string, body: object | undefined, anonymous: number, signedIn: number][] = [
      ["GET", "documents/a", undefined, 401, 200],
      ["POST", "documents/a/count", {}, 401, 200],
      ["POST", "documents/a/distinct", { path: "n" }, 401, 200],
      ["GET", "documents/a/x", undefined, 401, 404],
      ["POST", "documents/a", { teamId: "t" }, 401, 403],
      ["PATCH", "documents/a/x", { n: 1 }, 401, 403],
      ["PUT", "documents/a/x", { n: 1 }, 401, 403],
      ["POST", "batch", batch("create", { document: {} }), 401, 403],
      ["POST", "batch", batch("check", { ifVersion: 1 }), 401, 404],
      ["POST", "batch", batch("delete"), 401, 200],
      ["GET", "documents/b", undefined, 401, 200],
      ["GET", "documents/b/x", undefined, 401, 404],
      ["POST", "documents/b", { teamId: "t" }, 401, 403],
      // By some way they might see something.
      ["GET", "documents/c", undefined, 200, 200],
      ["GET", "documents/c/x", undefined, 404, 404],
      // No lookup need be read to know: 403, and not a list without documents.
      ["GET", "documents/d", undefined, 401, 403],
      // What is not there for want of a role is in no list; what nobody can say of somebody unknown is poisoned.
      ["GET", "documents/d/x", undefined, 401, 200],
    ];
    for (const [method, path, body, anonymous, signedIn] of rows) {
      for (const [token, status] of [
        [null, anonymous],
        [bob.token, signedIn],
      ] as const) {
        const answer = await send(method, `/v1/${path}`, token, body);
        t.equal(answer.status, status, `${token ? "signed in" : "nobody"}: ${method} ${path} ${answer.text}`);
      }
    }
  });
});
