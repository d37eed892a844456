import t from "tap";
import { cut, fail, reply, type Script } from "../support/scripted-server.ts";
import { until } from "../support/until.ts";
import { ADA, BOB, documentsFor, ended, errorOf, kept, mapStorage, play, session } from "./session-script.ts";

// Full jitter may also be none: the waits between tries are not what is tested here.
const { random } = Math;
Math.random = () => 0;
t.teardown(() => {
  Math.random = random;
});

const tokens = (n: number) => ({ accessToken: `a${n}`, expiresIn: 900, refreshToken: `r${n}` });
const fifty = <R>(ask: () => PromiseLike<R>) => Promise.all(Array.from({ length: 50 }, ask));

t.test("who is signed in is known from the storage at once, and requests carry the token", async (t) => {
  const storage = mapStorage();
  const { db, told, server, tokensAt } = await play(t, documentsFor("a1"), { storage }, (key) => {
    storage.map.set(key, kept(ADA, 1));
  });
  t.strictSame(db.auth.user, ADA);
  t.strictSame(await db.auth.ready, ADA);
  t.equal(db.auth.user, db.auth.user, "the same object as long as nothing changes");
  t.equal(server.seen.length, 0);
  await db.collection("todos").find();
  t.strictSame(tokensAt("documents"), ["a1"]);
  t.strictSame(told, []);
});

t.test("fifty requests after 80 % of the token's life cause one refresh, and wait for it", async (t) => {
  const storage = mapStorage();
  const { db, key, tokensAt, server } = await play(
    t,
    (response, request, n) => {
      if (request.url === "/v1/auth/refresh") reply(response, 200, tokens(2));
      else documentsFor("a2")(response, request, n);
    },
    { storage },
    (key) => storage.map.set(key, kept(ADA, 1, 721)),
  );
  await fifty(() => db.collection("todos").find());
  t.strictSame(tokensAt("auth/refresh"), [undefined]);
  t.strictSame(JSON.parse(server.seen[0]?.body ?? ""), { refreshToken: "r1" });
  t.strictSame(new Set(tokensAt("documents")), new Set(["a2"]));
  t.equal(tokensAt("documents").length, 50);
  t.match(JSON.parse(storage.map.get(key) ?? ""), { id: "s1", user: ADA, ...tokens(2) });
});

t.test("before 80 % nothing is renewed", async (t) => {
  const storage = mapStorage();
  const { db, server } = await play(t, documentsFor("a1"), { storage }, (key) =>
    storage.map.set(key, kept(ADA, 1, 700)),
  );
  await db.collection("todos").find();
  t.equal(server.seen.length, 1);
});

t.test("fifty requests whose token is refused cause one refresh, and each is repeated once", async (t) => {
  const storage = mapStorage();
  const { db, tokensAt } = await play(
    t,
    (response, request, n) => {
      if (request.url === "/v1/auth/refresh") reply(response, 200, tokens(2));
      else documentsFor("a2")(response, request, n);
    },
    { storage },
    (key) => storage.map.set(key, kept(ADA, 1)),
  );
  await fifty(() => db.collection("todos").find());
  t.equal(tokensAt("auth/refresh").length, 1);
  const sent = tokensAt("documents");
  t.strictSame([sent.filter((one) => one === "a1").length, sent.filter((one) => one === "a2").length], [50, 50]);
});

t.test("a request is repeated once and only once, a write too, with its key", async (t) => {
  const storage = mapStorage();
  const { db, tokensAt, server } = await play(
    t,
    (response, request, n) => {
      if (request.url === "/v1/auth/refresh") reply(response, 200, tokens(2));
      else documentsFor("never")(response, request, n);
    },
    { storage },
    (key) => storage.map.set(key, kept(ADA, 1)),
  );
  const error = await errorOf(db.collection("todos").update("x", { n: 1 }));
  t.match(error, { code: "unauthenticated", reason: "token_invalid", outcome: "not_applied" });
  t.strictSame(tokensAt("documents"), ["a1", "a2"]);
  t.equal(tokensAt("auth/refresh").length, 1);
  t.strictSame(
    new Set(server.seen.flatMap(({ headers }) => headers["idempotency-key"] ?? [])).size,
    1,
    "the server knows the write again",
  );
  t.strictSame(db.auth.user, ADA, "that is no end of the session");
});

t.test("a refresh whose reply is lost is asked again with the same token", async (t) => {
  const storage = mapStorage();
  const bodies: string[] = [];
  const { db } = await play(
    t,
    (response, request, n) => {
      if (request.url !== "/v1/auth/refresh") return documentsFor("a2")(response, request, n);
      bodies.push(request.body);
      if (bodies.length < 3) cut(response);
      else reply(response, 200, tokens(2));
    },
    { storage },
    (key) => storage.map.set(key, kept(ADA, 1, 901)),
  );
  await fifty(() => db.collection("todos").find());
  t.strictSame(bodies, Array(3).fill('{"refreshToken":"r1"}'));
});

t.test("without a network the session stays, and a token that still holds goes on", async (t) => {
  const storage = mapStorage();
  let online = false;
  const script: Script = (response, request, n) => {
    if (request.url !== "/v1/auth/refresh") documentsFor(online ? "a2" : "a1")(response, request, n);
    else if (online) reply(response, 200, tokens(2));
    else cut(response);
  };
  const { db, key, told, tokensAt } = await play(t, script, { storage }, (key) =>
    storage.map.set(key, kept(ADA, 1, 800)),
  );
  await db.collection("todos").find();
  t.strictSame(tokensAt("documents"), ["a1"]);
  storage.map.set(key, kept(ADA, 1, 1000));
  const later = await play(t, script, { storage }, (key) => storage.map.set(key, kept(ADA, 1, 1000)));
  t.match(await errorOf(later.db.collection("todos").find()), { code: "network" });
  t.match(await errorOf(later.db.collection("todos").delete("x")), { code: "network", outcome: "not_applied" });
  t.strictSame([later.tokensAt("documents"), later.db.auth.user], [[], ADA]);
  online = true;
  await later.db.collection("todos").find();
  t.strictSame([told, later.told], [[], []]);
});

t.test("a session that has ended is cleared and told once, and later requests are nobody's", async (t) => {
  for (const [name, age] of [
    ["by a request", 0],
    ["by a refresh", 901],
  ] as const) {
    const storage = mapStorage();
    const { db, key, told, tokensAt } = await play(
      t,
      (response, { headers, url }) => {
        if (headers.authorization || url === "/v1/auth/refresh") ended(response);
        else reply(response, 200, { documents: [], position: "h.1" });
      },
      { storage },
      (key) => storage.map.set(key, kept(ADA, 1, age)),
    );
    const errors = await fifty(() => errorOf(db.collection("todos").find()));
    for (const error of errors) t.match(error, { code: "unauthenticated", reason: "session_ended" }, name);
    t.strictSame([db.auth.user, storage.map.get(key), told], [null, undefined, ["null ended"]], name);
    t.equal(tokensAt("auth/refresh").length, age ? 1 : 0);
    const before = tokensAt("documents").length;
    await db.collection("todos").find();
    t.strictSame(tokensAt("documents").slice(before), [undefined]);
  }
});

t.test("what another tab has renewed is used, and renewed no more", async (t) => {
  const storage = mapStorage();
  const { db, key, tokensAt } = await play(t, documentsFor("a2"), { storage }, (key) =>
    storage.map.set(key, kept(ADA, 1, 800)),
  );
  t.strictSame(db.auth.user, ADA);
  storage.map.set(key, kept(ADA, 2));
  await fifty(() => db.collection("todos").find());
  t.strictSame([tokensAt("auth/refresh").length, new Set(tokensAt("documents"))], [0, new Set(["a2"])]);
});

t.test("a token refused because another tab signed in anew is replaced by that tab's", async (t) => {
  const storage = mapStorage();
  const { db, key, told, tokensAt } = await play(
    t,
    (response, request, n) => {
      if (request.headers.authorization === "Bearer a1") ended(response);
      else documentsFor("a2")(response, request, n);
    },
    { storage },
    (key) => storage.map.set(key, kept(ADA, 1)),
  );
  t.strictSame(db.auth.user, ADA);
  storage.map.set(key, kept(ADA, 2));
  await db.collection("todos").find();
  t.strictSame([tokensAt("documents"), told], [["a1", "a2"], []]);
  storage.map.set(key, kept(BOB, 2));
  const other = await play(
    t,
    (response, request, n) => {
      if (request.headers.authorization === "Bearer a1") ended(response);
      else documentsFor("a2")(response, request, n);
    },
    { storage },
    (key) => storage.map.set(key, kept(ADA, 1)),
  );
  t.strictSame(other.db.auth.user, ADA);
  storage.map.set(other.key, kept(BOB, 2));
  t.match(await errorOf(other.db.collection("todos").find()), { reason: "session_ended" }, "asked by Ada, not by Bob");
  t.strictSame([other.tokensAt("documents"), other.told], [["a1"], ["bob in"]]);
});

t.test("clients without Web Locks that share a storage agree on what the server answers twice", async (t) => {
  const storage = mapStorage();
  const scene = await play(
    t,
    (response, request, n) => {
      // The 30 s in which the server gives the token before the newest the newest again.
      if (request.url === "/v1/auth/refresh") reply(response, 200, tokens(2));
      else documentsFor("a2")(response, request, n);
    },
    { storage },
    (key) => storage.map.set(key, kept(ADA, 1, 800)),
  );
  const other = scene.client();
  await Promise.all([fifty(() => scene.db.collection("todos").find()), fifty(() => other.collection("todos").find())]);
  t.equal(scene.tokensAt("auth/refresh").length, 2);
  t.match(JSON.parse(storage.map.get(scene.key) ?? ""), tokens(2));
  t.strictSame([scene.db.auth.user, other.auth.user], [ADA, ADA]);
});

t.test("a sign-out during a refresh is not undone by it", async (t) => {
  const storage = mapStorage();
  const open: (() => void)[] = [];
  const { db, key, told, server } = await play(
    t,
    (response, { url }) => {
      if (url === "/v1/auth/refresh") open.push(() => reply(response, 200, tokens(2)));
      else if (url === "/v1/auth/sign-out") reply(response, 204, undefined);
      else fail(response, 500, "internal");
    },
    { storage },
    (key) => storage.map.set(key, kept(ADA, 1, 901)),
  );
  const asked = errorOf(db.collection("todos").update("x", {}));
  await until(() => open.length === 1);
  const out = db.auth.signOut();
  await until(() => db.auth.user === null);
  t.equal(storage.map.get(key), undefined, "at once");
  await out;
  t.strictSame(JSON.parse(server.seen[1]?.body ?? ""), { refreshToken: "r1" });
  open[0]?.();
  t.match(await asked, { code: "aborted", outcome: "not_applied" });
  t.strictSame([db.auth.user, storage.map.get(key), told], [null, undefined, ["null out"]]);
  t.equal(server.seen.length, 2, "what Ada asked for is not sent for nobody");
});

t.test("somebody else who signed in in another tab during a refresh is not overwritten by it", async (t) => {
  const storage = mapStorage();
  const open: (() => void)[] = [];
  const { db, key, told, tokensAt } = await play(
    t,
    (response, { url }) => {
      if (url === "/v1/auth/refresh") open.push(() => reply(response, 200, tokens(2)));
      else reply(response, 200, { documents: [], position: "h.1" });
    },
    { storage },
    (key) => storage.map.set(key, kept(ADA, 1, 901)),
  );
  const asked = errorOf(db.collection("todos").find());
  await until(() => open.length === 1);
  storage.map.set(key, kept(BOB, 3));
  open[0]?.();
  t.match(await asked, { code: "aborted" });
  t.match(JSON.parse(storage.map.get(key) ?? ""), { user: BOB, accessToken: "a3" });
  t.strictSame([db.auth.user, told], [BOB, ["bob in"]]);
  await db.collection("todos").find();
  t.strictSame(tokensAt("documents"), ["a3"]);
});

t.test("a sign-in waits for a refresh, carries its token, and what it brings stays", async (t) => {
  const storage = mapStorage();
  const { db, key, told, tokensAt } = await play(
    t,
    (response, { url }) => {
      if (url === "/v1/auth/refresh") reply(response, 200, tokens(2));
      else if (url === "/v1/auth/sign-in") reply(response, 200, { session: session(BOB, 3) });
      else reply(response, 200, { documents: [], position: "h.1" });
    },
    { storage },
    (key) => storage.map.set(key, kept(ADA, 1, 901)),
  );
  const asked = Promise.resolve(db.collection("todos").find()).then(
    () => "answered",
    (error) => error.code,
  );
  t.strictSame(await db.auth.signIn({ email: "bob@example.org", password: "x" }), { user: BOB });
  t.ok(["aborted", "answered"].includes(await asked), "as Ada, or not at all");
  t.notOk(tokensAt("documents").includes("a3"));
  t.strictSame(tokensAt("auth/sign-in"), ["a2"], "whose session ends by it");
  t.match(JSON.parse(storage.map.get(key) ?? ""), { user: BOB, accessToken: "a3" });
  t.equal(storage.map.get(`${key}:device`), "d3");
  t.strictSame([db.auth.user, told], [BOB, ["bob in"]]);
});
