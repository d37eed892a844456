import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { authorizeAdmin } from "../../server/access/authorize.ts";
import { ScopeSet, scopeFault } from "../../server/access/scopes.ts";
import { AUDIT, createAudit } from "../../server/accounts/audit/audit.ts";
import { formatKey, newKeyParts, parseKey } from "../../server/accounts/keys/key-format.ts";
import { KEYS } from "../../server/accounts/keys/key-records.ts";
import { createServiceKeys } from "../../server/accounts/keys/service-keys.ts";
import { inNetworks, networkFault } from "../../server/accounts/limits/networks.ts";
import type { DocumentStore } from "../../server/stores/document-store.ts";
import { openSqliteStore } from "../../server/stores/sqlite/store.ts";
import { keyPrincipal } from "../support/services.ts";

const PRESET = `gsk_${"preset_".repeat(6)}`;
const DAY = 24 * 60 * 60 * 1000;
const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const admin = (scopes: readonly string[] = ["*"]) => authorizeAdmin(keyPrincipal(scopes, "maker"), "keys", "write");
const invalid = { code: "unauthenticated", details: { reason: "token_invalid" } } as const;

async function open() {
  const folder = mkdtempSync(join(tmpdir(), "galley-keys-"));
  const time = { now: Date.UTC(2026, 0, 31) };
  const clock = () => time.now;
  const embedded = await openSqliteStore({ folder, clock });
  const counted = { gets: 0, commits: 0 };
  const store: DocumentStore = {
    ...embedded,
    get: (collection, ids) => {
      counted.gets++;
      return embedded.get(collection, ids);
    },
    commit: (writes) => {
      counted.commits++;
      return embedded.commit(writes);
    },
  };
  const limits = { demand() {}, failed() {} };
  const options = {
    store,
    clock,
    random: (bytes: number) => randomBytes(bytes),
    log: quiet,
    presets: [PRESET],
    limits,
    audit: createAudit({ store, clock, random: (bytes: number) => randomBytes(bytes), log: quiet }),
  };
  await embedded.ensureCollection(AUDIT);
  const keys = await createServiceKeys(options);
  const second = await createServiceKeys(options);
  const close = async () => {
    keys.close();
    second.close();
    await embedded.close();
    rmSync(folder, { recursive: true });
  };
  return { folder, time, store, counted, keys, second, close };
}

t.test("a key has an id, 256 random bits and a checksum that catches typing errors", async (t) => {
  const parts = newKeyParts((bytes) => randomBytes(bytes));
  const token = formatKey(parts);
  t.match(token, /^gsk_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}$/);
  t.same(parseKey(token), parts);
  for (let i = 0; i < token.length; i++) {
    const other = token[i] === "a" ? "b" : "a";
    t.equal(parseKey(token.slice(0, i) + other + token.slice(i + 1)), undefined);
  }
  t.equal(parseKey(`${token}a`), undefined);
  t.equal(parseKey(` ${token}`), undefined);
  t.equal(newKeyParts(() => new Uint8Array(32).fill(255)).secret.length, 43);
  t.equal(newKeyParts(() => new Uint8Array(32)).secret, "0".repeat(43));
});

t.test("a key is shown once, stored as a hash, and is who it says within its scopes", async (t) => {
  const { keys, store, folder, close } = await open();
  t.teardown(close);
  const { key, secret } = await keys.create(admin(), {
    name: "import",
    scopes: ["documents:posts:*", "documents:posts:*"],
  });
  t.match(key, {
    name: "import",
    scopes: ["documents:posts:*"],
    createdBy: "maker",
    networks: [],
    expiresAt: "2027-01-31T00:00:00.000Z",
  });
  const principal = await keys.verify(secret, "192.0.2.1");
  t.match(principal, { kind: "key", id: key.id, address: "192.0.2.1" });
  t.ok(principal.kind === "key" && principal.scopes.allows("documents", "posts", "list"));
  t.notOk(principal.kind === "key" && principal.scopes.allows("documents", "other", "list"));
  const bare = parseKey(secret)?.secret ?? "";
  const [row] = await store.get(KEYS, [key.id]);
  t.notOk(row?.text.includes(bare));
  for (const file of ["galley.db", "galley.db-wal"]) t.notOk(readFileSync(join(folder, file)).includes(bare), file);
  t.notOk(JSON.stringify(await keys.list(admin())).includes(bare));
  t.equal((await keys.list(admin())).keys.length, 1);
});

t.test("whatever is wrong with a token, the answer is one", async (t) => {
  const { keys, close } = await open();
  t.teardown(close);
  const { secret } = await keys.create(admin(), { name: "a", scopes: ["*"] });
  const { id } = parseKey(secret) ?? { id: "" };
  const forged = formatKey({ id, secret: "0".repeat(43) });
  const unknown = formatKey(newKeyParts((bytes) => randomBytes(bytes)));
  const messages = new Set<string>();
  for (const token of [
    "",
    "gsk_",
    "x",
    `${secret}x`,
    secret.toLowerCase(),
    forged,
    unknown,
    `${PRESET}x`,
    "gsk_\u0000",
    "x".repeat(1e6),
  ]) {
    const error = await Promise.resolve()
      .then(() => keys.verify(token, "::1"))
      .catch((error: unknown) => error);
    t.match(error, invalid, token.slice(0, 20));
    messages.add((error as Error).message);
  }
  t.equal(messages.size, 1);
  t.match(await keys.verify(PRESET, "::1"), { id: "preset", scopes: { texts: ["*"] } });
});

t.test(
  "a verified key costs no look-up until it changes, and then is judged anew at once, on every node",
  async (t) => {
    const { keys, second, counted, close } = await open();
    t.teardown(close);
    const { key, secret } = await keys.create(admin(), { name: "a", scopes: ["documents:posts:get"] });
    await keys.verify(secret, "::1");
    await second.verify(secret, "::1");
    // The notes of last use settle, and with them what they made the nodes forget.
    while ((await keys.list(admin())).keys[0]?.lastUsedAt === undefined)
      await new Promise((resolve) => setImmediate(resolve));
    await keys.verify(secret, "::1");
    await second.verify(secret, "::1");
    counted.gets = 0;
    for (let i = 0; i < 50; i++) await second.verify(secret, "::1");
    t.equal(counted.gets, 0);

    await keys.change(admin(), key.id, { scopes: ["documents:posts:list"] });
    const now = await second.verify(secret, "::1");
    t.ok(now.kind === "key" && !now.scopes.allows("documents", "posts", "get"));
    const racing = Array.from({ length: 20 }, () => second.verify(secret, "::1"));
    await keys.remove(admin(), key.id);
    await Promise.allSettled(racing);
    await t.rejects(async () => keys.verify(secret, "::1"), invalid);
    await t.rejects(async () => second.verify(secret, "::1"), invalid);
    await t.rejects(keys.remove(admin(), key.id), { code: "not_found" });
  },
);

t.test("expiry and networks are judged at every use", async (t) => {
  const { keys, time, close } = await open();
  t.teardown(close);
  const expiresAt = new Date(time.now + DAY).toISOString();
  const networks = ["10.0.0.0/8", "2001:db8::/32"];
  const { key, secret } = await keys.create(admin(), { name: "a", scopes: ["*"], expiresAt, networks });
  for (const address of ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8::5", "2001:db8::5%eth0"])
    t.ok(await keys.verify(secret, address), address);
  for (const address of ["11.1.2.3", "::1", "2001:db9::5", "", "not an address"]) {
    await t.rejects(async () => keys.verify(secret, address), invalid, address);
  }
  time.now += DAY - 1;
  t.ok(await keys.verify(secret, "10.0.0.1"));
  time.now += 1;
  await t.rejects(async () => keys.verify(secret, "10.0.0.1"), invalid);
  await keys.change(admin(), key.id, { expiresAt: null, networks: [] });
  time.now += 1000 * DAY;
  t.ok(await keys.verify(secret, "192.0.2.1"));
  t.equal((await keys.list(admin())).keys[0]?.expiresAt, null);
});

t.test("a rotation gives a new secret; the old one stays good for the overlap only", async (t) => {
  const { keys, time, close } = await open();
  t.teardown(close);
  const { key, secret: first } = await keys.create(admin(), { name: "a", scopes: ["*"] });
  const { secret: second } = await keys.rotate(admin(), key.id, { overlap: 60 });
  t.match(await keys.verify(first, "::1"), { id: key.id });
  t.match(await keys.verify(second, "::1"), { id: key.id });
  time.now += 59_999;
  t.ok(await keys.verify(first, "::1"));
  time.now += 1;
  await t.rejects(async () => keys.verify(first, "::1"), invalid);
  const { secret: third } = await keys.rotate(admin(), key.id, {});
  await t.rejects(async () => keys.verify(second, "::1"), invalid);
  t.ok(await keys.verify(third, "::1"));
  for (const overlap of [-1, 1.5, "60", 86_401, null]) {
    await t.rejects(keys.rotate(admin(), key.id, { overlap }), { code: "invalid_argument" });
  }
});

t.test("no key makes, widens, or takes over a key beyond its own scopes", async (t) => {
  const { keys, close } = await open();
  t.teardown(close);
  const { key: wide } = await keys.create(admin(), { name: "wide", scopes: ["*"] });
  const narrow = admin(["admin:keys:write", "documents:posts:*"]);
  const beyond = (scope: string) => ({ code: "permission_denied", details: { scope, outcome: "not_applied" } });
  for (const scope of [
    "*",
    "documents:*:get",
    "documents:other:get",
    "files:posts:get",
    "admin:keys:*",
    "admin:users:read",
  ]) {
    await t.rejects(keys.create(narrow, { name: "x", scopes: ["documents:posts:get", scope] }), beyond(scope));
  }
  const { key } = await keys.create(narrow, { name: "x", scopes: ["documents:posts:get", "admin:keys:write"] });
  await t.rejects(keys.change(narrow, key.id, { scopes: ["documents:*:get"] }), beyond("documents:*:get"));
  await t.rejects(keys.change(narrow, wide.id, { networks: [] }), beyond("*"));
  await t.rejects(keys.rotate(narrow, wide.id, {}), beyond("*"));
  await keys.rotate(narrow, key.id, {});
  t.equal((await keys.list(admin())).keys.length, 2);
});

t.test("bodies are judged whole", async (t) => {
  const { keys, time, close } = await open();
  t.teardown(close);
  const past = new Date(time.now).toISOString();
  const error = await keys
    .create(admin(), {
      name: " ",
      scopes: ["*", "documents:posts", "documents:A:get", "x:y:z", 5],
      expiresAt: past,
      networks: ["10.0.0.0/33"],
      more: 1,
    })
    .catch((error: unknown) => error);
  const places = (error as { details: { faults: { path: string }[] } }).details.faults.map(({ path }) => path);
  t.same(places.sort(), ["expiresAt", "more", "name", "networks.0", "scopes.1", "scopes.2", "scopes.3", "scopes.4"]);
  for (const body of [
    {},
    null,
    [],
    { name: "a", scopes: [] },
    { name: "a", scopes: "*" },
    { name: "a", scopes: ["*"], expiresAt: "soon" },
  ]) {
    await t.rejects(keys.create(admin(), body), { code: "invalid_argument" });
  }
});

t.test("the last use is noted beside the request, at most once a minute", async (t) => {
  const { keys, time, counted, close } = await open();
  t.teardown(close);
  const { key, secret } = await keys.create(admin(), { name: "a", scopes: ["*"] });
  const noted = async () => (await keys.list(admin())).keys[0]?.lastUsedAt;
  counted.commits = 0;
  for (let i = 0; i < 20; i++) await keys.verify(secret, "192.0.2.7");
  const first = new Date(time.now).toISOString();
  while ((await noted()) !== first) await new Promise((resolve) => setImmediate(resolve));
  t.match((await keys.list(admin())).keys[0], { id: key.id, lastUsedFrom: "192.0.2.7" });
  time.now += 59_000;
  for (let i = 0; i < 20; i++) await keys.verify(secret, "192.0.2.8");
  t.equal(counted.commits, 1);
  time.now += 1000;
  await keys.verify(secret, "192.0.2.9");
  const second = new Date(time.now).toISOString();
  while ((await noted()) !== second) await new Promise((resolve) => setImmediate(resolve));
  t.ok(await keys.verify(secret, "::1"), "the note does not touch the key");
});

t.test("scopes and networks are read strictly", async (t) => {
  for (const text of [
    "*",
    "documents:*:*",
    "documents:a-b_c:get",
    "files:b:delete",
    "admin:keys:write",
    "admin:*:read",
  ]) {
    t.equal(scopeFault(text), undefined, text);
  }
  for (const text of [
    "",
    "**",
    "documents",
    "documents:a",
    "documents:a:b:c",
    "documents:_users:get",
    "documents:a:read",
    "admin:keys:get",
    "x:*:*",
    5,
    null,
  ]) {
    t.type(scopeFault(text), "string", String(text));
  }
  for (const text of ["10.0.0.0/8", "192.0.2.1", "::/0", "2001:db8::/32", "::1"])
    t.equal(networkFault(text), undefined, text);
  for (const text of [
    "",
    "10.0.0.0/",
    "10.0.0.0/33",
    "10.0.0.0/08",
    "10.0.0/8",
    "::/129",
    "fe80::1%eth0",
    "localhost",
    "10.0.0.0/8/8",
    5,
  ]) {
    t.type(networkFault(text), "string", String(text));
  }
  t.ok(inNetworks(["192.0.2.1"])("192.0.2.1"));
  t.notOk(inNetworks(["192.0.2.1"])("192.0.2.2"));
  const wide = new ScopeSet(["documents:posts:get", "documents:posts:list"]);
  t.ok(wide.covers(new ScopeSet(["documents:posts:get"])));
  t.notOk(wide.covers(new ScopeSet(["documents:posts:*"])));
  t.notOk(wide.covers(new ScopeSet(["*"])));
  t.ok(new ScopeSet(["*"]).covers(new ScopeSet(["*", "admin:*:*"])));
});
