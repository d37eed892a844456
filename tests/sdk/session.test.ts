import type { KeyStorage } from "@galley/sdk";
import t from "tap";
import { cut, fail, reply, type Script } from "../support/scripted-server.ts";
import { until } from "../support/until.ts";
import { ADA, BOB, documentsFor, ended, errorOf, kept, mapStorage, play, session } from "./session-script.ts";

const { random } = Math;
Math.random = () => 0;
t.teardown(() => {
  Math.random = random;
});

const tokens = (n: number) => ({ accessToken: `a${n}`, expiresIn: 900, refreshToken: `r${n}` });
const SIGN_IN = { email: "ada@example.org", password: "x" };
let sessions = 0;
/** Signs Ada in, in a new session each time, renews to 2, and answers documents to both. */
const server: Script = (response, { url, headers }) => {
  if (url === "/v1/auth/sign-in") reply(response, 200, { session: { ...session(ADA, 1), id: `new${++sessions}` } });
  else if (url === "/v1/auth/refresh") reply(response, 200, tokens(2));
  else if (url === "/v1/auth/sign-out") reply(response, 204, undefined);
  else if (/a[12]$/.test(headers.authorization ?? "")) reply(response, 200, { documents: [], position: "h.1" });
  else fail(response, 401, "unauthenticated");
};

t.test("without a storage the session is kept in memory", async (t) => {
  const { db, told, client } = await play(t, server);
  t.strictSame([db.auth.user, await db.auth.ready], [null, null]);
  t.strictSame(await db.auth.signIn(SIGN_IN), { user: ADA });
  await db.collection("todos").find();
  t.strictSame([db.auth.user, told, client().auth.user], [ADA, ["ada in"], null]);
});

t.test("a storage that answers later is waited for, and told of", async (t) => {
  const map = new Map<string, string>();
  const slow: KeyStorage = {
    getItem: async (key) => map.get(key) ?? null,
    // A write that takes longer than what comes after it.
    setItem: (key, value) => new Promise<void>((resolve) => setTimeout(() => resolve(void map.set(key, value)), 30)),
    removeItem: async (key) => void map.delete(key),
  };
  const { db, key, told, tokensAt } = await play(t, server, { storage: slow }, (key) => map.set(key, kept(ADA, 1)));
  t.equal(db.auth.user, null, "not known yet");
  await db.collection("todos").find();
  t.strictSame([db.auth.user, await db.auth.ready, tokensAt("documents"), told], [ADA, ADA, ["a1"], ["ada in"]]);
  await db.auth.signOut();
  await db.auth.signIn(SIGN_IN);
  t.match(JSON.parse(map.get(key) ?? ""), { id: /^new/, user: ADA });
  const out = db.auth.signOut();
  await db.auth.signIn(SIGN_IN);
  await out;
  t.match(JSON.parse(map.get(key) ?? ""), { id: /^new/ }, "and nothing slow undoes what came later");
});

t.test("a sign-out waits for the sign-in that is under way, whatever the storage", async (t) => {
  const { db, told, tokensAt } = await play(t, server);
  await db.auth.signIn(SIGN_IN);
  await db.auth.signOut();
  const again = db.auth.signIn(SIGN_IN);
  await until(() => tokensAt("auth/sign-in").length === 2);
  await db.auth.signOut();
  await again;
  t.strictSame([db.auth.user, tokensAt("auth/sign-out").length], [null, 2]);
  t.strictSame(told, ["ada in", "null out", "ada in", "null out"]);
});

t.test("a storage that throws leaves the session in memory, and nothing old behind", async (t) => {
  const broken = () => {
    throw new Error("no access");
  };
  for (const [name, faults] of Object.entries<Partial<KeyStorage>>({
    all: { getItem: broken, setItem: broken, removeItem: broken },
    reading: { getItem: broken },
    writing: { setItem: broken },
    "writing, later": { setItem: async () => broken() },
    "reading, later": { getItem: async () => broken() },
  })) {
    const storage = { ...mapStorage(), ...faults };
    const { db, key, tokensAt, told } = await play(t, server, { storage }, (key) => {
      storage.map.set(key, kept(BOB, 7, 901));
    });
    await db.auth.ready;
    await db.auth.signOut();
    await db.auth.signIn(SIGN_IN);
    await db.collection("todos").find();
    t.strictSame([db.auth.user, tokensAt("documents")], [ADA, ["a1"]], name);
    t.equal(told.at(-1), "ada in", name);
    if (name.startsWith("writing")) t.equal(storage.map.get(key), undefined, name);
    t.strictSame(await db.auth.token(), "a1", name);
    await db.auth.signOut();
    t.equal(db.auth.user, null, name);
  }
});

t.test("what is kept and makes no sense is nobody", async (t) => {
  const withoutToken = JSON.stringify({ ...JSON.parse(kept(ADA, 1)), accessToken: undefined });
  for (const text of ["", "{", "null", "[]", '{"user":{}}', '"x"', "7", withoutToken]) {
    const storage = mapStorage();
    const { db } = await play(t, server, { storage }, (key) => storage.map.set(key, text));
    t.equal(db.auth.user, null, text);
    t.match(await errorOf(db.collection("todos").find()), { code: "unauthenticated" });
  }
});

t.test("the server's clock is of no account, and a clock that jumps costs a refresh at most", async (t) => {
  const { now } = Date;
  t.teardown(() => {
    Date.now = now;
  });
  const storage = mapStorage();
  const { db, tokensAt } = await play(t, server, { storage });
  await db.auth.signIn(SIGN_IN);
  Date.now = () => now() - 86_400_000;
  await db.collection("todos").find();
  t.strictSame([tokensAt("documents"), tokensAt("auth/refresh").length], [["a2"], 1], "set back");
  await db.collection("todos").find();
  t.equal(tokensAt("auth/refresh").length, 1, "and then it is right");
  Date.now = () => now() + 86_400_000;
  await db.collection("todos").find();
  t.strictSame([tokensAt("documents").length, tokensAt("auth/refresh").length], [3, 2], "set forward");
});

t.test("token() hands out one that holds for half a minute", async (t) => {
  const storage = mapStorage();
  const short = (age: number) => JSON.stringify({ ...JSON.parse(kept(ADA, 1, age)), expiresIn: 60 });
  const { db, key, tokensAt, client } = await play(t, server, { storage }, (key) => storage.map.set(key, short(20)));
  t.strictSame([await db.auth.token(), tokensAt("auth/refresh").length], ["a1", 0]);
  storage.map.set(key, short(31));
  const other = client();
  t.strictSame([await other.auth.token(), tokensAt("auth/refresh").length], ["a2", 1]);
  await other.auth.signOut();
  t.equal(await other.auth.token(), null);
});

t.test("listeners hear of every change, each by itself, until they are taken off", async (t) => {
  const { db, told } = await play(t, (response, request, n) => {
    if (request.method === "PATCH") reply(response, 200, { ...ADA, name: "Countess" });
    else server(response, request, n);
  });
  const heard: string[] = [];
  const listener = (_user: unknown, why: string) => heard.push(why);
  const stops = [db.auth.onChange(listener), db.auth.onChange(listener)];
  await db.auth.signIn(SIGN_IN);
  stops[0]?.();
  t.match(await db.auth.update({ name: "Countess" }), { name: "Countess" });
  await db.auth.update({ name: "Countess" });
  await db.auth.signOut();
  await db.auth.signOut();
  t.strictSame(told, ["ada in", "ada changed", "null out"]);
  t.strictSame(heard, ["in", "in", "changed", "out"]);
});

t.test("outdated tokens that another tab wrote back do not replace newer ones, nor undo a sign-out", async (t) => {
  const storage = mapStorage();
  const { db, key, told } = await play(
    t,
    (response, request, n) => {
      if (request.method === "PATCH") reply(response, 200, { ...ADA, name: "Countess" });
      else server(response, request, n);
    },
    { storage },
    (key) => storage.map.set(key, kept(ADA, 1, 901)),
  );
  const old = JSON.parse(storage.map.get(key) ?? "");
  await db.collection("todos").find();
  t.match(JSON.parse(storage.map.get(key) ?? ""), { ...tokens(2), turn: 2 });
  storage.map.set(key, JSON.stringify({ ...old, user: { ...ADA, locale: "en" } }));
  await db.auth.update({ name: "Countess" });
  t.match(JSON.parse(storage.map.get(key) ?? ""), { ...tokens(2), user: { name: "Countess" } });
  const [before, user] = [storage.map.get(key) ?? "", db.auth.user];
  await db.auth.update({ name: "Countess" });
  t.equal(db.auth.user, user, "the same object as long as it says the same");
  await db.auth.signOut();
  storage.map.set(key, before);
  t.match(await errorOf(db.auth.deleteAccount()), { code: "unauthenticated" });
  t.strictSame([db.auth.user, storage.map.get(key), told.at(-1)], [null, undefined, "null out"]);
});

t.test("sign-out holds here even if the server cannot be told", async (t) => {
  const storage = mapStorage();
  const { db, key, told } = await play(
    t,
    (response) => cut(response),
    { storage },
    (key) => {
      storage.map.set(key, kept(ADA, 1));
      storage.map.set(`${key}:device`, "d1");
    },
  );
  t.match(await errorOf(db.auth.signOut()), { code: "network" });
  t.strictSame([db.auth.user, storage.map.get(key), told], [null, undefined, ["null out"]]);
  t.equal(storage.map.get(`${key}:device`), "d1", "this device stays known");
});

t.test("a session that ended unnoticed is no obstacle to a sign-in", async (t) => {
  const storage = mapStorage();
  const {
    db,
    tokensAt,
    told,
    server: { seen },
  } = await play(
    t,
    (response, request, n) => (request.headers.authorization ? ended(response) : server(response, request, n)),
    { storage },
    (key) => {
      storage.map.set(key, kept(BOB, 7));
      storage.map.set(`${key}:device`, "d7");
    },
  );
  t.strictSame(await db.auth.signIn(SIGN_IN), { user: ADA });
  t.strictSame(
    [tokensAt("auth/sign-in"), told],
    [
      ["a7", undefined],
      ["null ended", "ada in"],
    ],
  );
  t.strictSame(JSON.parse(seen[1]?.body ?? ""), { ...SIGN_IN, deviceToken: "d7" });
});

t.test("requests that meet the old session while a new one begins are repeated with the new one", async (t) => {
  const storage = mapStorage();
  let proven = false;
  const { db, told, tokensAt } = await play(
    t,
    (response, request, n) => {
      if (request.url === "/v1/auth/sign-in") {
        // The server has ended the old session, its answer is under way.
        proven = true;
        void until(() => tokensAt("documents").length === 1).then(() => {
          setImmediate(() => reply(response, 200, { session: session(ADA, 2) }));
        });
      } else if (proven && request.headers.authorization === "Bearer a1") ended(response);
      else documentsFor("a2")(response, request, n);
    },
    { storage },
    (key) => storage.map.set(key, kept(ADA, 1)),
  );
  const again = db.auth.signIn(SIGN_IN);
  await until(() => proven);
  await db.collection("todos").find();
  t.strictSame(await again, { user: ADA });
  t.strictSame([tokensAt("documents"), told], [["a1", "a2"], []]);
});

t.test("what could act twice is not sent again while it is in doubt", async (t) => {
  const {
    db,
    server: { seen },
  } = await play(t, (response, { url }, n) => {
    if (url.includes("forgot") && n < 2) fail(response, 429, "rate_limited", { details: { outcome: "not_applied" } });
    else if (url.includes("forgot")) reply(response, 202, {});
    else cut(response);
  });
  t.match(await errorOf(db.auth.signUp(SIGN_IN)), { code: "network", outcome: "unknown" });
  t.match(await errorOf(db.auth.signInAsGuest()), { code: "network", outcome: "unknown" });
  t.equal(seen.length, 2);
  await db.auth.forgotPassword("ada@example.org");
  t.equal(seen.length, 3);
});

t.test("nothing that one user asked for is sent for another, neither a repeat nor what waits", async (t) => {
  const open: (() => void)[] = [];
  const {
    db,
    server: { seen },
  } = await play(t, (response, request, n) => {
    const who = request.headers.authorization;
    if (request.url === "/v1/auth/sign-in") {
      const bob = request.body.includes("bob");
      reply(response, 200, { session: session(bob ? BOB : ADA, bob ? 2 : 1) });
    } else if (who === "Bearer a1") {
      // Answered only when somebody else is signed in: as if the connection broke, or by a read.
      open.push(() => (request.method === "GET" ? reply(response, 200, { _id: "x", _v: 3 }) : cut(response)));
    } else documentsFor("a2")(response, request, n);
  });
  await db.auth.signIn(SIGN_IN);
  const todos = db.collection("todos");
  const asked = [
    errorOf(todos.update("x", { n: 1 })),
    errorOf(todos.update("x", { n: 2 })),
    errorOf(todos.create({ n: 1 })),
    errorOf(db.batch((b) => b.collection("todos").delete("x"))),
    errorOf(
      db.transaction(async (tx) => {
        const found = await tx.collection("todos").get("x");
        tx.collection("todos").update("x", { n: found?._v });
      }),
    ),
  ];
  await until(() => open.length === 3);
  await db.auth.signIn({ ...SIGN_IN, email: "bob@example.org" });
  const before = seen.length;
  for (const answer of open) answer();
  for (const error of await Promise.all(asked)) t.match(error, { code: "aborted" });
  t.equal(seen.length, before);
  t.match((await asked[0])?.outcome, "unknown");
  t.match((await asked[1])?.outcome, "not_applied");
});

t.test("a client with a service key is nobody's, and says so", async (t) => {
  const storage = mapStorage();
  const { db, told, tokensAt } = await play(t, documentsFor("gsk_x"), { storage, serviceKey: "gsk_x" }, (key) => {
    storage.map.set(key, kept(ADA, 1));
  });
  t.strictSame([db.auth.user, await db.auth.ready, await db.auth.token()], [null, null, null]);
  await db.collection("todos").find();
  t.strictSame(tokensAt("documents"), ["gsk_x"]);
  t.match(await errorOf(db.auth.signIn(SIGN_IN)), { code: "failed_precondition", message: /service key/ });
  await db.auth.signOut();
  t.strictSame(told, []);
  const refused = await play(t, documentsFor("other"), { serviceKey: "gsk_x" });
  t.match(await errorOf(refused.db.collection("todos").find()), { reason: "token_invalid" });
  t.equal(refused.server.seen.length, 1, "a key that is refused is not tried again");
});
