/** What open sockets are shown when rights change, on real accounts and rules; attack cases L01, L03 to L08, L12. */
import t from "tap";
import { startApp } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";
import { LiveOutlet } from "../support/live-outlet.ts";
import { peopleOf } from "../support/people.ts";
import { publishRules } from "../support/publish-rules.ts";
import { until } from "../support/until.ts";

const RULES = {
  format: 1,
  shared: { lookups: { myTeams: { from: "members", where: { userId: "$auth.id" }, select: "team" } } },
  collections: {
    notes: { list: { team: { $in: "$lookup.myTeams" } }, get: { ownerId: "$auth.id" } },
    drafts: { list: { "$auth.roles": "editor" }, get: "list" },
    members: { list: false },
    news: { list: true, get: true },
  },
};

onEachEngine(t, async (t, engine) => {
  const time = { now: Date.now() };
  const env = { GALLEY_TRUSTED_PROXIES: "127.0.0.1", GALLEY_SECRET: "one-secret-for-both-nodes-of-the-test" };
  const app = await startApp({ engine, clock: () => time.now, env });
  t.teardown(() => app.close());
  // Where several nodes share a database, what one is told ends sockets of the other.
  const nodes = [app];
  if (engine.name === "mongodb") {
    const second = await startApp({ engine, clock: () => time.now, env: { ...env, ...engine.env(app.folder) } });
    t.teardown(() => second.close());
    nodes.push(second);
  }
  const people = peopleOf(app, time);
  const send = async (method: string, path: string, body?: unknown, as?: string) => {
    const answer = await app.send(method, path, {
      ...(body !== undefined && { body }),
      ...(as !== undefined && { as }),
    });
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.text}`);
    return answer.json;
  };
  const put = (path: string, body: object) => send("PUT", `/v1/documents/${path}`, body);
  const remove = (path: string) => send("DELETE", `/v1/documents/${path}`);
  /** A guest: nobody's password has to be hashed. */
  const someone = async () => (await people.post("anonymous", {})).json.session;
  const open = (origin?: string, address = "10.0.0.1", { app: node } = app) =>
    LiveOutlet.open((outlet) => node.live.open(outlet, { address, ...(origin !== undefined && { origin }) }));
  const enter = async (token?: string, node = app) => {
    const socket = open(undefined, undefined, node);
    socket.hello(token);
    await socket.welcomed();
    return socket;
  };
  for (const path of ["notes/n0", "news/x", "drafts/d1"]) await put(path, { text: "first", team: "z" });
  await put("members/m0", { userId: "nobody", team: "z" });
  await publishRules(app, RULES);

  t.test("shows nothing before somebody is in a team, and stops when they are not any more", async (t) => {
    const guest = await someone();
    const [socket, nobody] = [await enter(guest.accessToken), await enter()];
    const [notes, news, byId] = [
      socket.find("notes"),
      socket.find("news"),
      socket.sub({ collection: "notes", get: { ids: ["n1", "n2"] } }),
    ];
    for (const s of [notes, news, byId]) await socket.answered(s);
    const denied = nobody.find("drafts");
    const empty = nobody.find("notes");
    for (const s of [denied, empty]) await nobody.answered(s);
    t.match(nobody.of(denied).error, { code: "unauthenticated" });
    t.match(nobody.of(empty).error, { code: "unauthenticated" });
    await put("notes/n1", { team: "a", text: "hidden", ownerId: guest.user.id });
    await until(() => socket.ids(byId).length === 1);
    t.same(socket.ids(notes), []);
    await put("notes/n1", { team: "a", text: "shown" });
    await until(() => socket.ids(byId).length === 0);
    await put("members/m1", { userId: guest.user.id, team: "a" });
    await until(() => socket.ids(notes).length === 1);
    await remove("members/m1");
    await put("notes/n1", { team: "a", text: "late" });
    await until(() => socket.ids(notes).length === 0);
    t.same(socket.of(notes).resets, ["rights", "rights"]);
    t.same(socket.of(byId).resets, []);
    t.notMatch(socket.told(), /late/);
    t.same(nobody.all("commit"), []);
    t.same([...socket.complaints, ...nobody.complaints], []);
  });

  t.test("an update that takes a document away tells its id and none of its values", async (t) => {
    const guest = await someone();
    await put("members/m2", { userId: guest.user.id, team: "b" });
    await put("notes/n2", { team: "b", text: "before" });
    const socket = await enter(guest.accessToken);
    const s = socket.find("notes");
    await socket.answered(s);
    t.same(socket.ids(s), ["n2"]);
    await put("notes/n2", { team: "c", text: "hidden" });
    await until(() => socket.ids(s).length === 0);
    const { w } = socket.all("commit").at(-1);
    t.same(
      Object.values<{ rm: unknown; up: unknown }>(w).map(({ rm, up }) => [rm, up]),
      [[["n2"], undefined]],
    );
    await put("notes/n2", { team: "b", text: "after" });
    await until(() => socket.ids(s).length === 1);
    t.match(socket.of(s).rows, [{ text: "after" }]);
    t.notMatch(socket.told(), /hidden/);
    t.same(socket.complaints, []);
  });

  t.test("each of many who ask the same in the same words gets their own fields", async (t) => {
    const guests = await Promise.all(Array.from({ length: 8 }, () => someone()));
    const own = Object.fromEntries(guests.map(({ user }, i) => [`s${i}`, { read: { "$auth.id": user.id } }]));
    const masked = { list: true, get: true, fields: own };
    await publishRules(app, { ...RULES, collections: { ...RULES.collections, shared: masked } });
    const write = (round: number) =>
      put("shared/one", {
        open: round,
        ...Object.fromEntries(guests.map((_, i) => [`s${i}`, `secret-${i}-${round}`])),
      });
    await write(0);
    const sockets = await Promise.all(guests.map(({ accessToken }) => enter(accessToken)));
    const asked = sockets.map((socket) => socket.find("shared"));
    await Promise.all(sockets.map((socket, i) => socket.answered(asked[i] ?? 0)));
    const rounds = 25;
    for (let round = 1; round <= rounds; round++) await write(round);
    await until(() => sockets.every((socket, i) => socket.of(asked[i] ?? 0).rows[0].open === rounds));
    const wrong: unknown[] = [];
    for (const [i, socket] of sockets.entries()) {
      const { _id, _v, _createdAt, _updatedAt, ...fields } = socket.of(asked[i] ?? 0).rows[0];
      const expected = { open: rounds, [`s${i}`]: `secret-${i}-${rounds}` };
      if (JSON.stringify(fields) !== JSON.stringify(expected)) wrong.push([i, fields]);
      const told = socket.told();
      for (const j of sockets.keys()) if (j !== i && told.includes(`secret-${j}-`)) wrong.push([i, j]);
      if (socket.all("commit").length !== rounds || socket.complaints.length > 0) wrong.push([i, socket.complaints]);
    }
    t.same(wrong, []);
    await publishRules(app, RULES);
  });

  t.test("nothing judged by an old right is sent once the call that took it is answered", async (t) => {
    const guest = await someone();
    const key = await send("POST", "/v1/admin/keys", { name: "k", scopes: ["documents:drafts:*"] });
    const id = guest.user.id;
    const cases: [
      name: string,
      collection: string,
      token: string,
      revoke: () => Promise<unknown>,
      grant: () => Promise<unknown>,
    ][] = [
      [
        "a membership",
        "notes",
        guest.accessToken,
        () => remove("members/m3"),
        () => put("members/m3", { userId: id, team: "a" }),
      ],
      [
        ...(["a role", "drafts", guest.accessToken] as const),
        () => send("PATCH", `/v1/admin/users/${id}`, { roles: [] }),
        () => send("PATCH", `/v1/admin/users/${id}`, { roles: ["editor"] }),
      ],
      [
        ...(["rules", "news", guest.accessToken] as const),
        () => publishRules(app, { ...RULES, collections: { ...RULES.collections, news: { list: false } } }),
        () => publishRules(app, RULES),
      ],
      [
        ...(["scopes of a key", "drafts", key.secret] as const),
        () => send("PATCH", `/v1/admin/keys/${key.key.id}`, { scopes: ["documents:other:*"] }),
        async () => {},
      ],
    ];
    for (const [name, collection, token, revoke, grant] of cases) {
      await grant();
      const sockets = await Promise.all(nodes.map((node) => enter(token, node)));
      const s = sockets.map((socket) => socket.find(collection))[0] ?? 0;
      for (const socket of sockets) t.equal((await socket.answered(s)).error, undefined, name);
      let written = 0;
      let stop = false;
      const writing = (async () => {
        while (!stop) await put(`${collection}/n1`, { team: "a", text: `v${++written}` });
      })();
      await until(() => written > 3 && sockets.every((one) => one.all("commit").length > 0), 20, `${name}: writes`);
      await revoke();
      const sent = sockets.map(({ frames }) => frames.length);
      const upTo = written + 5;
      await until(() => written > upTo, 20);
      stop = true;
      await writing;
      for (const [i, socket] of sockets.entries()) {
        await until(() => socket.of(s).error !== undefined || socket.ids(s).length === 0, 10, name);
        t.notMatch(JSON.stringify(socket.frames.slice(sent[i])), /"v\d/, name);
        t.same(socket.complaints, [], name);
        socket.session.end();
      }
    }
    await publishRules(app, RULES);
  });

  t.test("whoever is signed out, closed, removed or revoked is sent nothing more", async (t) => {
    const { key, secret } = await send("POST", "/v1/admin/keys", { name: "k", scopes: ["documents:news:*"] });
    const admin = await people.admin("owner");
    const [out, disabled, removed] = [await someone(), await someone(), await someone()];
    const cases: [string, string, () => Promise<unknown>][] = [
      ["signed out", out.accessToken, () => people.post("sign-out", {}, out.accessToken)],
      ["disabled", disabled.accessToken, () => send("POST", `/v1/admin/users/${disabled.user.id}/disable`, {})],
      ["removed", removed.accessToken, () => send("DELETE", `/v1/admin/users/${removed.user.id}`)],
      ["revoked", secret, () => send("DELETE", `/v1/admin/keys/${key.id}`)],
      ["an admin", admin.accessToken, () => send("POST", "/v1/auth/sign-out", {}, admin.accessToken)],
    ];
    const by = await enter();
    const other = by.find("news", { filter: { _id: "x" } });
    await by.answered(other);
    for (const [name, token, end] of cases) {
      const sockets = await Promise.all(nodes.map((node) => enter(token, node)));
      for (const socket of sockets) await socket.answered(socket.find("news"));
      await end();
      const sent = sockets.map(({ frames }) => frames.length);
      await put("news/x", { text: name });
      for (const [i, socket] of sockets.entries()) {
        await until(() => socket.closed !== undefined, 10, name);
        t.equal(socket.closed?.code, 4401, name);
        t.equal(socket.frames.length, sent[i], name);
        t.same(socket.complaints, [], name);
      }
      await until(() => by.of(other).rows[0].text === name);
      const again = open();
      again.hello(token);
      await until(() => again.closed !== undefined);
      t.equal(again.closed?.code, 4401, name);
    }
    t.equal(by.closed, undefined);
  });

  t.test("keys are for servers, and for the networks that they are bound to", async (t) => {
    const bound = { name: "b", scopes: ["documents:news:*"], networks: ["10.0.0.0/24"] };
    const { key, secret } = await send("POST", "/v1/admin/keys", bound);
    const cases: [string, string | undefined, string, number][] = [
      ["on a page", "https://app.example", "10.0.0.1", 4403],
      ["of another network", undefined, "10.9.0.1", 4403],
      ["forged", undefined, "10.0.0.1", 4401],
    ];
    for (const [name, origin, address, code] of cases) {
      const socket = open(origin, address);
      socket.hello(name === "forged" ? `${secret.slice(0, -4)}0000` : secret);
      await until(() => socket.closed !== undefined);
      t.equal(socket.closed?.code, code, name);
      t.same(socket.frames, [], name);
      t.notMatch(JSON.stringify(socket.closed), secret.slice(0, 12));
    }
    const socket = open();
    socket.hello(secret);
    await socket.welcomed();
    const s = socket.find("news", { filter: { _id: "x" } });
    await socket.answered(s);
    t.same(socket.ids(s), ["x"]);
    const denied = socket.find("notes");
    await socket.answered(denied);
    t.match(socket.of(denied).error, { code: "permission_denied", details: { scope: "documents:notes:list" } });
    await send("PATCH", `/v1/admin/keys/${key.id}`, { networks: ["10.9.0.0/24"] });
    await until(() => socket.closed !== undefined);
    t.equal(socket.closed?.code, 4403);
  });
});
