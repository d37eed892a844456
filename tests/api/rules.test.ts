/** Publishing of access rules on both engines, on MongoDB with two nodes: access-rules.md 10 and 12. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { encodeValue } from "#protocol/values";
import { authorizeAdmin } from "../../server/access/authorize.ts";
import { createRulesService, type RulesServiceOptions } from "../../server/access/publishing/publishing.ts";
import { ruleChanges } from "../../server/access/publishing/rule-changes.ts";
import { POINTER, RULES } from "../../server/access/publishing/rule-versions.ts";
import { holdRules } from "../../server/access/publishing/rules-held.ts";
import { createAudit } from "../../server/accounts/audit/audit.ts";
import type { DocumentStore } from "../../server/stores/document-store.ts";
import { startApp, type TestApp } from "../support/app.ts";
import { type Engine, onEachEngine } from "../support/engines.ts";
import { keyPrincipal } from "../support/services.ts";
import { openTwoStores } from "../support/two-stores.ts";
import { until } from "../support/until.ts";

const BASE = "/v1/admin/rules";
const VISIT = { address: "192.0.2.7", userAgent: "curl/8", requestId: "r-1" };
const scope = authorizeAdmin(keyPrincipal(["*"], "k1"), "rules", "write");
const log = { debug() {}, info() {}, warn() {}, error() {} };
const random = (bytes: number) => randomBytes(bytes);
const open = { format: 1, collections: { posts: { list: true, get: "list" } } };
const owned = { format: 1, collections: { posts: { list: { authorId: "$auth.id" }, get: "list" } } };

t.test("two sets differ by the paths that tell it", async (t) => {
  t.strictSame(ruleChanges(open, owned), [
    { path: "collections.posts.list", kind: "changed", before: true, after: { authorId: "$auth.id" } },
  ]);
  t.strictSame(ruleChanges({ a: { b: [1] }, c: 1 }, { a: { b: [2], d: "x".repeat(600) } }), [
    { path: "a.b", kind: "changed", before: [1], after: [2] },
    { path: "a.d", kind: "added" },
    { path: "c", kind: "removed", before: 1 },
  ]);
  t.strictSame(ruleChanges(open, structuredClone(open)), []);
});

onEachEngine(t, async (t, engine) => {
  const { stores, services, held, told } = await openNodes(t, engine);
  const [store] = stores;
  const [first, second] = services;
  const inForce = () => held.map(({ current }) => current().version);

  t.test("rules are checked, published, read by version and rolled back over HTTP", async (t) => overHttp(t, engine));
  t.test("a publish holds on every node when it is answered, and of two at once one wins", async (t) => {
    t.strictSame([await first.current(scope), inForce()], [{ version: 0, rules: null, tests: null }, [0, 0]]);
    const published = await first.publish(scope, { rules: open, ifVersion: 0 }, VISIT);
    t.match(published, { version: 1, by: { kind: "key", id: "k1", name: "nightly" }, note: "", findings: [] });
    t.strictSame(
      held.map(({ current }) => [current().version, [...current().collections.keys()]]),
      [
        [1, ["posts"]],
        [1, ["posts"]],
      ],
    );
    const both = services.map((service, i) =>
      service.publish(scope, { rules: i === 0 ? owned : {}, ifVersion: 1 }, VISIT),
    );
    const ends = await Promise.allSettled(both);
    t.strictSame(ends.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
    const lost = ends.find((end) => end.status === "rejected");
    t.match(lost?.reason, { code: "version_conflict", details: { version: 2, by: { id: "k1" }, changed: [{}] } });
    t.equal((await second.rollback(scope, { version: 1 }, VISIT)).version, 3);
    t.strictSame(inForce(), [3, 3]);
  });

  t.test("findings and red tests stand in the way, and nothing is stored then", async (t) => {
    const { version: before } = await first.current(scope);
    const finding = (id: string, level: "error" | "warning" | "note") => ({
      id,
      level,
      path: "posts.list",
      message: id,
    });
    let findings = [finding("a", "warning"), finding("b", "warning"), finding("c", "note")];
    let passed = true;
    const service = createRulesService({
      ...optionsFor(store),
      lints: () => findings,
      runTests: async () => ({
        results: [{ name: "one", passed }],
        observations: { clauses: new Map(), listedOnly: [] },
      }),
    });
    const publish = (acknowledge: string[]) =>
      service
        .publish(scope, { rules: open, tests: { tests: [] }, ifVersion: before, acknowledge }, VISIT)
        .catch((error: unknown) => error);
    t.match(await publish(["a"]), {
      code: "failed_precondition",
      details: { reason: "warnings", findings: [{ id: "b" }] },
    });
    passed = false;
    t.match(await publish(["a", "b"]), { details: { reason: "tests_failed", tests: [{ name: "one" }] } });
    findings = [finding("d", "error")];
    t.match(await publish(["a", "b", "d"]), {
      message: "the rules were not published: mend 1 error; 1 test failed",
      details: { reason: "lint_errors", outcome: "not_applied" },
    });
    t.match(await service.check(scope, { rules: open, tests: {} }), {
      faults: [],
      findings,
      tests: [{ passed: false }],
    });
    t.equal((await service.current(scope)).version, before);
    [findings, passed] = [[finding("a", "warning")], true];
    t.match(await publish(["a"]), { version: before + 1, findings, tests: [{ passed }] });
    t.match(await service.rollback(scope, { version: 1 }, VISIT), { version: before + 2, findings });
  });

  t.test("what is not as it was written closes everything, on every node, until the next publish", async (t) => {
    const { version: before } = await first.current(scope);
    // As large as they may be, and of characters that a piece would cut in two.
    const text = { text: `x${"😀".repeat(3500)}` };
    const large = { collections: Object.fromEntries(names(18).map((name) => [name, fourActions(text)])) };
    const tests = { tests: [], users: { text: "😀".repeat(250_000) } };
    const { version } = await first.publish(scope, { rules: large, tests, ifVersion: before }, VISIT);
    t.strictSame(inForce(), [version, version]);
    t.strictSame(await second.current(scope), { ...(await first.version(scope, `${version}`)), rules: large, tests });

    const closed = () => until(() => inForce().every((held) => held === 0));
    const put = async (id: string, fields: object) => {
      const [row] = await store.get(RULES.name, [id]);
      const next = store.nextVersion(row?.version ?? 0);
      const text = encodeValue({ ...row?.value, ...fields, _id: id, _v: next });
      const write = {
        kind: "put",
        collection: RULES.name,
        id,
        expect: row?.version ?? 0,
        version: next,
        text,
      } as const;
      await store.barrier(await store.commit([write]));
    };
    await put(POINTER, { version: 99 });
    await closed();
    t.match(await first.current(scope).catch((error: unknown) => error), { code: "not_found" });
    await put(POINTER, { version: before });
    await until(() => inForce().every((held) => held === before));
    await put(`v${String(before).padStart(10, "0")}.rules.0`, { text: '{"format":2}' });
    await put(POINTER, { version: before });
    await closed();
    t.match((await first.current(scope)).faults, [{ path: "format" }]);
    await until(() => told.some((reason) => reason.startsWith(`version ${before} is not valid here: format: `)));
    await put(POINTER, { version: "x" });
    t.match(await first.current(scope).catch((error: unknown) => error), { details: { reason: "rules_damaged" } });
    await put(POINTER, { version });
    t.equal((await first.publish(scope, { rules: open, ifVersion: version }, VISIT)).version, version + 1);
    t.strictSame(inForce(), [version + 1, version + 1]);
    await store.barrier(await store.dropCollection(RULES.name));
    await closed();
    t.equal((await first.publish(scope, { rules: open, ifVersion: 0 }, VISIT)).version, 1);
    t.strictSame(inForce(), [1, 1]);
  });
});

function names(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `posts${i}`);
}

function fourActions(rule: object) {
  return { list: rule, create: rule, update: rule, delete: rule };
}

async function overHttp(t: Test, engine: Engine): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "galley-rules-"));
  const app = await startApp({ engine, folder });
  t.teardown(async () => {
    await app.close();
    rmSync(folder, { recursive: true });
  });
  const get = async (path: string) => (await app.send("GET", BASE + path)).json;
  const post = async (act: string, body: object) => {
    const { status, json } = await app.send("POST", `${BASE}/${act}`, { body });
    return { status, ...json };
  };
  // A busy MongoDB may be there later than the app.
  await until(async () => (await app.send("GET", "/v1/ready")).status === 200);
  t.strictSame(await get(""), { version: 0, rules: null, tests: null });
  const bad = { format: 1, collections: { posts: { updates: true, list: { a: "$auth.uid" } }, "p.q": {} } };
  const { status, error } = await post("publish", { rules: bad, ifVersion: 0 });
  t.match([status, error.code, error.details.outcome], [400, "invalid_argument", "not_applied"]);
  t.ok(error.details.faults.length >= 3, "every fault at once");
  t.match((await post("check", { rules: bad })).faults, error.details.faults);
  for (const rules of [7, "x", [], null]) t.match(await post("publish", { rules, ifVersion: 0 }), { status: 400 });
  t.match(await post("publish", { rules: open }), { status: 400 });
  t.match(await post("publish", { rules: { pad: "x".repeat(1 << 21) }, ifVersion: 0 }), { status: 400 });
  t.match(await post("publish", { rules: open, tests: [], ifVersion: 0 }), {
    error: { details: { faults: [{ path: "tests" }] } },
  });
  t.match(await get("/versions"), { versions: [], next: undefined });

  t.match(await post("publish", { rules: open, ifVersion: 0, note: "first" }), {
    status: 200,
    version: 1,
    note: "first",
  });
  t.match(
    await app.send("GET", "/v1/admin/collections/posts"),
    { status: 200, json: { documents: 0 } },
    "it was declared",
  );
  const lookup = { from: "members", where: { userId: "$auth.id" }, select: "teamId" };
  const teams = { format: 1, collections: { posts: { ...owned.collections.posts, lookups: { mine: lookup } } } };
  t.match(await post("publish", { rules: teams, ifVersion: 1 }), {
    status: 412,
    error: {
      details: { reason: "warnings", findings: [{ id: "unindexed_rule", fix: { index: { paths: ["authorId"] } } }] },
    },
  });
  const acknowledge = ["unindexed_rule"];
  t.match(await post("publish", { rules: teams, ifVersion: 1, acknowledge }), { status: 200, version: 2 });
  t.match(await app.send("GET", "/v1/admin/collections/members"), { status: 200 }, "so was what a lookup reads");
  const conflict = await post("publish", { rules: open, ifVersion: 1 });
  t.match([conflict.status, conflict.error.code], [412, "version_conflict"]);
  t.match(conflict.error.details, { version: 2, by: { kind: "key", id: "preset" }, outcome: "not_applied" });
  t.strictSame(
    conflict.error.details.changed.map((change: { path: string; kind: string }) => `${change.kind} ${change.path}`),
    ["changed collections.posts.list", "added collections.posts.lookups"],
  );
  t.match(await post("rollback", { version: 9 }), { status: 404 });
  t.match(await post("rollback", { version: 1, note: "back" }), { status: 200, version: 3, note: "back" });
  t.same((await get("")).rules, open);
  t.match(await get("/versions/2"), { version: 2, rules: teams, tests: null });
  for (const n of ["0", "4", "x", "1e0", "01"]) t.match((await get(`/versions/${n}`)).error, { code: "not_found" });
  const page = await get("/versions?limit=2");
  t.strictSame([page.versions.map((v: { version: number }) => v.version), page.next], [[3, 2], "2"]);
  t.match(await get(`/versions?after=${page.next}`), { versions: [{ version: 1 }], next: undefined });
  t.match((await get("/versions?after=x&limit=0")).error.details.faults, [{ path: "limit" }, { path: "after" }]);
  const { lines } = (await app.send("GET", "/v1/admin/audit?limit=1")).json;
  t.match(lines, [{ action: "rules-rolled-back", by: "preset", details: { version: 3, note: "back" } }]);
  await byTemplate(t, app);
}

async function byTemplate(t: Test, app: TestApp): Promise<void> {
  const create = (body: object, as = app.key) => app.send("POST", "/v1/admin/collections", { body, as });
  const current = async () => (await app.send("GET", BASE)).json;
  const before = await current();
  const made = await create({ name: "todos", template: "owner", field: "by" });
  t.match(
    [made.status, made.json],
    [201, { name: "todos", indexes: [{ paths: ["by"] }], schema: { required: ["by"] } }],
  );
  const opened = await current();
  t.match(opened, { version: before.version + 1, note: "todos from the template owner" });
  t.strictSame(opened.rules.collections.posts, before.rules.collections.posts, "the others stay as they are");
  t.equal(opened.tests.tests.length, 12);

  t.match(await create({ name: "todos", template: "team" }), {
    status: 409,
    json: { error: { code: "already_exists" } },
  });
  await create({ name: "declared" });
  t.match((await create({ name: "declared", template: "owner" })).json.error, { code: "already_exists" });
  const { secret } = (
    await app.send("POST", "/v1/admin/keys", { body: { name: "c", scopes: ["admin:collections:write"] } })
  ).json;
  t.match((await create({ name: "notes", template: "owner" }, secret)).json.error.details, {
    scope: "admin:rules:write",
  });
  const faulty = await create({ name: "_x", template: "own", field: "a.b", schema: {} });
  t.strictSame(
    faulty.json.error.details.faults.map(({ path }: { path: string }) => path),
    ["schema", "name", "template", "field"],
  );
  t.match((await create({ name: "teams", template: "team" })).json.error.details.faults, [{ path: "name" }]);

  // What somebody wrote in the place of a template's own parts is theirs.
  const rules = { ...opened.rules, collections: { ...opened.rules.collections, teams: { list: false } } };
  const body = { rules, ifVersion: opened.version };
  t.match(await app.send("POST", `${BASE}/publish`, { body }), { status: 200 });
  const refused = await create({ name: "notes", template: "team" });
  t.match(refused.json.error, { code: "failed_precondition", message: /^collections\.teams: / });
  t.match(await app.send("GET", "/v1/admin/collections/notes"), { status: 404 }, "nothing was declared");
  t.equal((await current()).version, opened.version + 1);
}

/** Two nodes; the embedded engine has but one, whose rules are held twice. */
async function openNodes(t: Test, engine: Engine) {
  const stores = await openTwoStores(t, engine);
  const told: string[] = [];
  const damaged = (reason: string) => void told.push(reason);
  const hold = async (store: DocumentStore) => {
    const rules = await holdRules({ store, changed() {}, damaged });
    t.teardown(() => rules.close());
    return rules;
  };
  const held = [await hold(stores[0]), await hold(stores[1])] as const;
  const services = [createRulesService(optionsFor(stores[0])), createRulesService(optionsFor(stores[1]))] as const;
  await stores[0].ensureCollection({ name: "_audit", indexes: [] });
  return { stores, services, held, told };
}

function optionsFor(store: DocumentStore): RulesServiceOptions {
  const clock = Date.now;
  return {
    ...{ store, clock, lints: () => [] },
    runTests: async () => ({ results: [], observations: { clauses: new Map(), listedOnly: [] } }),
    declare: async () => {},
    demandStanding: async () => {},
    authorName: async () => "nightly",
    auditLine: createAudit({ store, clock, random, log }).line,
  };
}
