/** attack-cases.md L07 to L12: who may stay on a real socket, with whose past, and how much they may ask of it. */
import t from "tap";
import { resultHash } from "#protocol/delta";
import { onEachEngine } from "../support/engines.ts";
import { closeOf, openLive } from "../support/live-client.ts";
import { OTHER_PASSWORD, PASSWORD } from "../support/people.ts";
import { openSocket, readToEnd } from "../support/raw-http.ts";
import { HANDSHAKE } from "../support/raw-socket.ts";
import { until } from "../support/until.ts";
import { attack } from "./doors.ts";
import { CANARY } from "./inputs/hidden-questions.ts";
import { openLiveWorld } from "./live-world.ts";

const FRAME = 64 * 1024;

onEachEngine(t, async (t, engine) => {
  const { app, time, people, bob, witness, send, put, someone, enter, leave, isServed } = await openLiveWorld(
    t,
    engine,
  );

  attack(
    t,
    app,
    "L07 who is signed out, closed, removed, revoked or has a new password is sent nothing more",
    async (t) => {
      const [here, there] = [await people.someone(), await people.someone()];
      const elsewhere = (await people.signIn(here.email)).json.session;
      const [disabled, removed] = [await someone(), await someone()];
      const { key, secret } = await send("POST", "/v1/admin/keys", { name: "k", scopes: ["documents:posts:*"] });
      const change = { current: PASSWORD, password: OTHER_PASSWORD };
      const thereToo = (await people.signIn(there.email)).json.session;
      for (const [name, token, end] of [
        ["elsewhere", here.accessToken, () => app.send("DELETE", "/v1/auth/sessions", { as: elsewhere.accessToken })],
        ["a password", there.accessToken, () => people.post("password/change", change, thereToo.accessToken)],
        ["disabled", disabled.accessToken, () => app.send("POST", `/v1/admin/users/${disabled.user.id}/disable`)],
        ["removed", removed.accessToken, () => app.send("DELETE", `/v1/admin/users/${removed.user.id}`)],
        ["revoked", secret, () => app.send("DELETE", `/v1/admin/keys/${key.id}`)],
      ] as const) {
        const client = await enter(token);
        await client.answered(client.find("posts"));
        const { status, text } = await end();
        t.ok(status < 300, `${name}: ${text}`);
        await put("posts/p0", { n: 0, name });
        t.equal(await closeOf(client), 4401, name);
        t.notMatch(client.told(), new RegExp(name), name);
        const again = await openLive(app.url);
        again.hello(token);
        t.equal(await closeOf(again), 4401, `${name}, once more`);
        t.same(again.frames, []);
      }
      leave(t);
    },
  );

  attack(t, app, "L08 a token ends its socket in time, and someone else on it begins with nothing", async (t) => {
    const [guest, other] = [await someone(), await someone()];
    const { secret } = await send("POST", "/v1/admin/keys", { name: "k", scopes: ["documents:posts:*"] });
    const forged = `${guest.accessToken.slice(0, -8)}AAAAAAAA`;
    const bad = { forged, refresh: guest.refreshToken, device: guest.deviceToken, key: `${secret.slice(0, -4)}0000` };
    for (const [name, token] of Object.entries(bad)) {
      const client = await enter(guest.accessToken);
      await client.answered(client.find("posts"));
      client.say({ t: "auth", token });
      t.equal(await closeOf(client), 4401, name);
    }
    const client = await enter(guest.accessToken);
    const s = client.find("posts");
    await client.answered(s);
    for (const token of [other.accessToken, null, secret]) {
      const before = client.frames.length;
      const last = client.find("posts");
      await client.answered(last);
      client.say({ t: "auth", token });
      await until(() => client.frames.slice(before).some((frame) => frame.t === "welcome"));
      const kinds = client.frames.slice(before).map((frame) => (frame.error ? frame.error.code : frame.t));
      t.same(kinds.slice(0, 1), ["snapshot"]);
      t.same([...new Set(kinds.slice(1, -1))], ["unauthenticated"]);
      t.equal(kinds.at(-1), "welcome");
    }
    const commits = client.all("commit").length;
    await put("posts/p0", { n: 0 });
    client.say({ t: "ping" });
    await client.got("beat");
    t.equal(client.all("commit").length, commits, "what was watched before is not any more");
    // 30 s past its time a token is none, also on a socket that it has opened.
    const lasts = Date.parse((await enter(guest.accessToken)).all("welcome")[0].expires) - time.now;
    time.now += lasts + 29_500;
    const late = await enter(guest.accessToken);
    await late.answered(late.find("posts"));
    time.now += 600;
    t.equal(await closeOf(late, 5), 4401);
    const expired = await openLive(app.url);
    expired.hello(bob.accessToken);
    t.equal(await closeOf(expired), 4401);
    leave(t);
  });

  attack(t, app, "L09 what somebody else held, or will see, brings nobody anything", async (t) => {
    const [guest, other] = [await someone(), await someone()];
    for (const [id, { user }] of [
      ["g1", guest],
      ["o1", other],
    ] as const) {
      await put(`notes/${id}`, { ownerId: user.id, text: `of ${id}` });
    }
    const [a, b] = [await enter(other.accessToken), await enter(guest.accessToken)];
    const [of, mine] = [await a.answered(a.find("notes")), await b.answered(b.find("notes"))];
    const haveOf = ({ shape, rows }: typeof of) => ({
      shape,
      hash: resultHash(rows.map((row) => JSON.stringify(row))),
    });
    const have = haveOf(mine);
    const history = b.position.slice(0, b.position.indexOf("."));
    const FAR = "f".repeat(16);
    const cases: [name: string, more: object, told: string][] = [
      ["its own", { have }, "current"],
      ["another's", { have: haveOf(of), after: of.position }, "snapshot"],
      ["a forged hash", { have: { ...have, hash: "0".repeat(16) } }, "snapshot"],
      ["a truncated hash", { have: { ...have, hash: have.hash.slice(1) } }, "snapshot"],
      ["another shape", { have: { ...have, shape: have.shape.slice(1) } }, "snapshot"],
      ["another history", { after: `other.${FAR}` }, "snapshot"],
      ["the future", { after: `${history}.${FAR}` }, "unavailable"],
      ["a truncated position", { after: b.position.slice(0, -1) }, "invalid_argument"],
      ["no position", { after: "x" }, "invalid_argument"],
    ];
    for (const [name, more, expected] of cases) {
      const before = b.frames.length;
      await b.answered(b.find("notes", {}, more));
      const [told] = b.frames.slice(before);
      t.equal(told.error?.code ?? told.t, expected, name);
      if (told.t === "snapshot") t.match(told.rows, [{ _id: "g1" }], name);
    }
    for (const after of [`${history}.${FAR}`, "x"]) {
      const client = await openLive(app.url);
      client.hello(guest.accessToken, { after });
      t.equal(await closeOf(client), 4409, after);
      t.same(client.frames, []);
    }
    // Taken while there was a right that is there no more.
    await put("notes/g1", { ownerId: other.user.id, text: CANARY });
    const again = await enter(guest.accessToken, { after: b.position });
    await again.answered(again.find("notes", {}, { have, after: b.position }));
    t.match(again.frames.at(-1), { t: "snapshot", rows: [], reset: "resume" });
    for (const client of [b, again]) t.notMatch(client.told(), /canary|of o1/);
    leave(t);
  });

  attack(t, app, "L10 channels are not there, whatever name is guessed", async (t) => {
    const client = await enter();
    const frames = [
      ...["join", "leave", "send", "state", "broadcast", "presence"].map((kind) => ({ t: kind, channel: "lobby" })),
      { t: "sub", s: 1, q: { channel: "lobby" } },
      { t: "sub", s: 2, q: { collection: "_channels", find: {} } },
      { t: "sub", s: 3, q: { bucket: "files", find: {} } },
    ];
    for (const frame of frames) client.say(frame);
    await client.got("error", frames.length);
    t.same(new Set(client.all("error").map(({ error }) => error.code)), new Set(["invalid_argument"]));
    t.equal(client.frames.length, frames.length + 1);
    leave(t);
  });

  attack(t, app, "L11 whoever asks for too much is told so or closed, and others are not touched", async (t) => {
    const full = await enter(app.key);
    const asked = Array.from({ length: 201 }, (_, n) => full.find("posts", { filter: { n }, limit: 1 }));
    for (const s of asked) await full.answered(s);
    t.equal(full.of(200).error, undefined);
    t.equal(full.of(201).error?.code, "rate_limited");
    full.say({ t: "unsub", s: 1 });
    const next = full.find("posts");
    t.equal((await full.answered(next)).error, undefined);
    const large = await enter(app.key);
    large.say(
      JSON.stringify({ t: "sub", s: 1, q: { collection: "posts", find: { filter: { a: "x".repeat(FRAME) } } } }),
    );
    t.equal(await closeOf(large), 1009);
    // Nothing but what an index entry cannot find, from more sockets than one; no engine has a part in that.
    const codes = new Map<string, number>();
    for (let socket = 0; engine.name === "sqlite" && socket < 11; socket++) {
      const client = await enter(app.key);
      const odd = Array.from({ length: 200 }, (_, n) =>
        client.find("teamwork", { filter: { n: { $ne: socket * 200 + n } }, limit: 1, select: ["n"] }),
      );
      for (const s of odd) {
        const code = (await client.answered(s)).error?.code ?? "ok";
        codes.set(code, (codes.get(code) ?? 0) + 1);
      }
    }
    const wanted = { ok: 2000, index_required: 200 };
    t.same(Object.fromEntries(codes), engine.name === "sqlite" ? wanted : {});
    const flood = await enter(app.key);
    for (let s = 1; s <= 10_000; s++) flood.say({ t: "sub", s, q: { collection: "posts", find: { limit: 1 } } });
    t.equal(await closeOf(flood), 4429);
    await isServed(t);
    leave(t);
  });

  t.test("L12 the handshake and the first frame are judged as requests are", async (t) => {
    const at = (address: string) => openLive(app.url, { "x-forwarded-for": address });
    await people.settings({ limits: { anonymous: 2 } });
    const [one, two, three] = [await at("10.200.0.1"), await at("10.200.0.1"), await at("10.200.0.1")];
    const elsewhere = await at("10.201.0.1");
    await people.settings({ limits: { anonymous: null } });
    t.same([one.status, two.status, three.status, elsewhere.status], [101, 101, 429, 101]);
    t.ok(Number(three.retryAfter) > 0);
    const bound = { name: "b", scopes: ["documents:posts:*"], networks: ["10.0.0.0/24"] };
    const { secret } = await send("POST", "/v1/admin/keys", bound);
    const disabled = await someone();
    await send("POST", `/v1/admin/users/${disabled.user.id}/disable`);
    const page = { origin: app.url };
    for (const [name, token, headers, code] of [
      ["a key of other networks", secret, { "x-forwarded-for": "10.9.0.1" }, 4403],
      ["a key on a page", app.key, page, 4403],
      ["a closed account", disabled.accessToken, {}, 4401],
    ] as const) {
      const client = await openLive(app.url, headers);
      t.equal(client.status, 101, name);
      client.hello(token);
      t.equal(await closeOf(client), code, name);
      t.same(client.frames, [], name);
    }
    for (const client of [one, two, elsewhere]) client.session.end();
    // The last test: one that is connected already asks while the server stops.
    const late = await openSocket(app.url);
    const answered = readToEnd(late);
    const stopping = app.close();
    const head = [
      "GET /v1/live HTTP/1.1",
      "host: localhost",
      ...HANDSHAKE,
      "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==",
    ];
    late.write([...head, "", ""].join("\r\n"));
    await stopping;
    t.same((await answered).statuses, [503]);
    t.equal(await closeOf(witness), 1012);
    t.match(witness.frames.at(-1), { t: "bye" });
  });
});
