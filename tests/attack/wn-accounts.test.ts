/** attack-cases.md W and N, as far as they concern accounts, on both engines with the same verdicts. */
import t from "tap";
import { GalleyError } from "#protocol/errors";
import { type Answer, startApp } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";
import { NO_LIMITS } from "../support/no-limits.ts";
import { OTHER_PASSWORD, PASSWORD, peopleOf, reasonOf, together } from "../support/people.ts";
import { requestText, sendRaw } from "../support/raw-http.ts";
import { attack } from "./doors.ts";
import { FALSE_ORIGINS } from "./inputs/paths.ts";
import { keepsSecrets } from "./n-logs.ts";

const SERVER_COLLECTIONS = ["_users", "_credentials", "_sessions", "_secrets", "_keys", "_admins", "_limits", "_mail"];
/** What only the server sets of a person. */
const SERVER_FIELDS: Readonly<Record<string, unknown>> = {
  ...{ roles: ["admin"], claims: { plan: "pro" }, role: "owner", scopes: ["*"], guest: true, disabledAt: null },
  ...{ emailProven: true, emailProvenAt: "2026-01-01T00:00:00Z", emailKey: "x@example.org", credentialVersion: 9 },
  ...{ id: "x", _id: "x", _v: 7, _createdAt: "2026-01-01T00:00:00Z", passwordHash: "$argon2id$", hash: "x", mfa: {} },
};

onEachEngine(t, async (t, engine) => {
  const time = { now: Date.parse("2026-03-01T00:00:00Z") };
  // No proxy is trusted: whatever a request says of where it comes from, it comes from here.
  const env = { GALLEY_ALLOWED_ORIGINS: "https://app.example.com" };
  const app = await startApp({ engine, mode: "production", clock: () => time.now, env });
  t.teardown(() => app.close());
  const people = peopleOf(app, time);
  const { post, me, someone, signIn } = people;
  await people.settings(NO_LIMITS);
  const statusOf = async (answer: Promise<Answer>) => (await answer).status;
  const lowered = async (limits: object, run: () => Promise<void>) => {
    await people.settings({ limits });
    await run();
    await people.settings(NO_LIMITS);
  };

  attack(t, app, "W01 nobody sets what the server alone sets of a person", async (t) => {
    const { accessToken, user } = await someone();
    const before = (await app.send("GET", `/v1/admin/users/${user.id}`)).json;
    const taken: string[] = [];
    for (const [field, value] of Object.entries(SERVER_FIELDS)) {
      const body = { email: people.newEmail(), password: PASSWORD, [field]: value };
      const answers = {
        "sign-up": post("sign-up", body),
        anonymous: post("anonymous", { [field]: value }),
        "sign-in": post("sign-in", body),
        me: app.send("PATCH", "/v1/auth/me", { as: accessToken, body: { [field]: value } }),
        // An admin changes roles and claims, and nothing of what flows alone change.
        user: app.send("PATCH", `/v1/admin/users/${user.id}`, {
          body: field === "roles" || field === "claims" ? { unknown: 1 } : { [field]: value },
        }),
        key: app.send("POST", "/v1/admin/keys", { body: { name: "k", scopes: [], owner: user.id, [field]: value } }),
      };
      for (const [route, answer] of Object.entries(answers)) {
        if ((await answer).status !== 400) taken.push(`${route} ${field}: ${(await answer).text}`);
      }
    }
    t.same(taken, []);
    t.same((await app.send("GET", `/v1/admin/users/${user.id}`)).json, before);
  });

  attack(t, app, "W04 500 sign-ins in a batch are refused; sent one after the other each is counted", async (t) => {
    const { email } = await someone();
    const wrong = { email, password: OTHER_PASSWORD };
    const item = { method: "POST", path: "/v1/auth/sign-in", body: wrong };
    const batches = [
      { operations: Array(500).fill(item) },
      { operations: Array(500).fill({ op: "sign-in", ...wrong }) },
    ];
    for (const body of [...batches, Array(500).fill(item)]) {
      t.equal(await statusOf(app.send("POST", "/v1/batch", { body })), 400);
    }
    t.equal(await statusOf(post("sign-in", Array(500).fill(wrong))), 400);
    t.equal(await statusOf(signIn(email)), 200, "none of them was a try");
    await lowered({ account: { freePasswordFailures: 5 } }, async () => {
      const text = JSON.stringify(wrong);
      const head = ["content-type: application/json", `content-length: ${text.length}`];
      const one = requestText("POST", "/v1/auth/sign-in", head, text);
      const open = one.replace("connection: close", "connection: keep-alive");
      const { text: answers } = await sendRaw(app.url, open.repeat(499) + one);
      // Each begins where the body before it ends.
      const statuses = [...answers.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status);
      t.equal(statuses.length, 500, "sent at once on one connection");
      // Each is a try of its own. Five are free, of which the queue of hashes takes three at once; the others are told to
      // wait, or that too many change one counter.
      const judged = statuses.filter((status) => status === "401").length;
      const others = statuses.filter((status) => !["401", "429", "409", "503"].includes(String(status)));
      t.ok(judged <= 5, `${judged} were judged`);
      t.same(others, []);
    });
    time.now += 60 * 60_000;
  });

  attack(t, app, "W06 no spelling of a server's collection is one", async (t) => {
    const { user, accessToken } = await someone();
    const wrong: string[] = [];
    for (const name of SERVER_COLLECTIONS) {
      const spelled = [
        name,
        name.replace("_", "%5F"),
        name.toUpperCase(),
        `${name}.`,
        `posts%2F..%2F${name}`,
        `${name}%00`,
      ];
      for (const one of spelled) {
        for (const as of [app.key, accessToken, null]) {
          for (const path of [`/v1/documents/${one}/${user.id}`, `/v1/admin/collections/${one}`]) {
            const { status, text } = await app.send("GET", path, { as });
            if (![400, 401, 403, 404].includes(status) || text.includes("argon2")) wrong.push(`${path}: ${status}`);
          }
        }
      }
      for (const body of [
        { operations: [{ op: "set", collection: name, id: user.id, document: {} }] },
        { operations: [{ op: "check", collection: name, id: user.id, ifVersion: 1 }] },
      ]) {
        const { status } = await app.send("POST", "/v1/batch", { body });
        if (status !== 400 && status !== 404) wrong.push(`${name} in a batch: ${status}`);
      }
      const made = { name: "refs", schema: { type: "object", properties: { a: { type: "string", ref: name } } } };
      const declared = await app.send("POST", "/v1/admin/collections", { body: made });
      if (declared.status < 300) wrong.push(`a reference to ${name}`);
      const export_ = await app.send("GET", `/v1/admin/collections/${name}/export`);
      if (export_.status < 300) wrong.push(`an export of ${name}`);
    }
    t.same(wrong, []);
    t.equal(await statusOf(me(accessToken)), 200);
  });

  attack(
    t,
    app,
    "W07 what changes anything tells a viewer, and a key outside its scopes, which one is missing",
    async (t) => {
      const viewer = await people.admin("viewer");
      const { secret } = (
        await app.send("POST", "/v1/admin/keys", { body: { name: "r", scopes: ["admin:*:read", "documents:*:get"] } })
      ).json;
      const { paths } = (await app.send("GET", "/v1/openapi.json", { as: null })).json;
      const open: string[] = [];
      let asked = 0;
      for (const [path, methods] of Object.entries(paths as Record<string, Record<string, { requestBody?: object }>>)) {
        if (!path.startsWith("/v1/admin/")) continue;
        for (const [method, { requestBody }] of Object.entries(methods)) {
          // These are questions in a body.
          if (method === "get" || /\/(?:check|simulate|who|impact)$/.test(path)) continue;
          const url = path.replace("{collection}", "none").replace(/\{\w+\}/g, "none");
          const [type = "application/json"] = Object.keys((requestBody as { content?: object })?.content ?? {});
          const body = requestBody && { body: {}, headers: { "content-type": type } };
          for (const as of [viewer.accessToken, secret]) {
            const { status, json } = await app.send(method.toUpperCase(), url, { as, ...body });
            asked++;
            if (status !== 403 || typeof json.error.details.scope !== "string")
              open.push(`${method} ${path}: ${status}`);
          }
        }
      }
      t.same(open, []);
      t.ok(asked > 30, `${asked}`);
    },
  );

  attack(t, app, "W09 no answer is replayed to another, nor by a right that is gone", async (t) => {
    const key = { "idempotency-key": "one-key-for-all" };
    const [ada, bob] = [people.newEmail(), people.newEmail()];
    const sessions = [];
    for (const email of [ada, bob, ada]) {
      const { status, json } = await post("sign-up", { email, password: PASSWORD }, null, key);
      sessions.push([status, json.session?.user.email]);
    }
    t.same(sessions, [
      [201, ada],
      [201, bob],
      [409, undefined],
    ]);
    const made = async () =>
      (await app.send("POST", "/v1/admin/keys", { body: { name: "w", scopes: ["documents:posts:*"] }, headers: key }))
        .json;
    const [one, other] = [await made(), await made()];
    t.not(one.secret, other.secret, "no secret is shown twice");
    const write = (as: string, id = "w09") =>
      app.send("POST", "/v1/documents/posts", { as, body: { _id: id }, headers: { "idempotency-key": "w09" } });
    t.equal(await statusOf(write(one.secret)), 201);
    t.equal(await statusOf(write(one.secret)), 201, "the same again for who asked first");
    t.equal(await statusOf(write(other.secret)), 409, "for another it is a request of its own");
    const narrow = { scopes: ["documents:posts:get"] };
    await app.send("PATCH", `/v1/admin/keys/${one.key.id}`, { body: narrow });
    t.equal(await statusOf(write(one.secret)), 403, "today's right, not yesterday's");
    await app.send("DELETE", `/v1/admin/keys/${one.key.id}`);
    t.equal(await statusOf(write(one.secret)), 401);
  });

  attack(
    t,
    app,
    "N01 what a request says of where it comes from changes no limit, device, audit line or link",
    async (t) => {
      const { email, accessToken } = await someone();
      const forged = (i: number) => ({
        ...{ "x-forwarded-for": `203.0.113.${i}`, "x-real-ip": `203.0.113.${i}`, "cf-connecting-ip": `203.0.113.${i}` },
        ...{ forwarded: `for=203.0.113.${i}`, "true-client-ip": `203.0.113.${i}`, "x-forwarded-host": "evil.example" },
      });
      await lowered({ network: { codesPerHour: 4 } }, async () => {
        const body = { token: `${"C".repeat(22)}.${"A".repeat(43)}`, password: OTHER_PASSWORD };
        const tally = await together(12, (i) => post("password/reset", body, null, forged(i)));
        t.same(tally, { 401: 4, 429: 8 }, "one bucket");
      });
      await post("sign-in", { email, password: OTHER_PASSWORD }, null, forged(1));
      await post("sign-in", { email, password: PASSWORD }, null, forged(2));
      const { sessions } = (await app.send("GET", "/v1/auth/sessions", { as: accessToken })).json;
      for (const { network } of sessions) t.equal(network, "127.0.0.0/24");
      const audit = await app.send("GET", "/v1/admin/audit?limit=200");
      t.notMatch(audit.text, /203\.0\.113|evil\.example/);
      t.match(audit.text, /127\.0\.0\.1/);
      await post("password/forgot", { email }, null, forged(3));
      t.notMatch((await people.mailed(email, "reset")).source, /203\.0\.113|evil\.example/);
    },
  );

  attack(t, app, "N02 a limited route has one spelling and one bucket", async (t) => {
    time.now += 2 * 60 * 60_000;
    await lowered({ network: { mailsPerHour: 2 } }, async () => {
      const send = (path: string) => {
        const text = JSON.stringify({ email: people.newEmail() });
        const head = ["content-type: application/json", `content-length: ${text.length}`];
        return sendRaw(app.url, requestText("POST", path, head, text));
      };
      const forgot = "/v1/auth/password/forgot";
      for (const status of [202, 202, 429]) t.same((await send(forgot)).statuses, [status]);
      const let_through: string[] = [];
      for (const path of [
        ...["/V1/auth/password/forgot", "/v1/AUTH/password/forgot", "/v1/auth/password/FORGOT"],
        ...["//v1/auth/password/forgot", "/v1//auth/password/forgot", "/v1/auth/password//forgot", `/${forgot}`],
        ...[
          `${forgot}/`,
          `${forgot}//`,
          `${forgot}/.`,
          `${forgot}%2f`,
          `${forgot}%20`,
          `${forgot}%00`,
          `${forgot};x=1`,
        ],
        ...["/v1/auth/password%2fforgot", "/v1/auth/password/%66orgot", "/v1/%61uth/password/forgot"],
        ...["/v1/auth/./password/forgot", "/v1/auth/x/../password/forgot", "/v1/auth/%2e/password/forgot"],
        ...["/v1/auth/x/%2e%2e/password/forgot", "/v1/auth/password/.%2fforgot", "/v1\\auth\\password\\forgot"],
        ...[
          `${forgot}?x=1`,
          `${forgot}?email=a@example.org`,
          `${forgot}??`,
          `${forgot}?`,
          `${forgot}#a`,
          `${forgot}?%00`,
        ],
        ...[`${app.url}${forgot}`, `http://evil.example${forgot}`],
      ]) {
        const { statuses } = await send(path);
        if (statuses.length !== 1 || ![400, 404, 429].includes(statuses[0] ?? 0))
          let_through.push(`${path}: ${statuses}`);
      }
      t.same(let_through, []);
    });
  });

  attack(t, app, "N03 no foreign page reads an answer of accounts, and no page is sent its cookie", async (t) => {
    const told: string[] = [];
    for (const origin of [...FALSE_ORIGINS, "https://app.example.com"]) {
      const own = origin === "https://app.example.com";
      for (const path of ["sign-in", "refresh", "sign-out", "me"]) {
        const headers = {
          origin,
          "access-control-request-method": "POST",
          "access-control-request-headers": "authorization",
        };
        const preflight = await app.send("OPTIONS", `/v1/auth/${path}`, { as: null, headers });
        const answer = await post(path, {}, null, { origin });
        for (const { headers } of [preflight, answer]) {
          const allowed = headers["access-control-allow-origin"];
          if (allowed !== (own ? origin : undefined)) told.push(`${origin} ${path}: ${allowed}`);
          if (headers["access-control-allow-credentials"] !== undefined) told.push(`${origin} ${path}: credentials`);
        }
      }
      if (own) continue;
      const headers = { origin, cookie: "galley-admin=gr_x", "x-galley-csrf": "1" };
      for (const path of ["refresh", "sign-out"]) {
        const refused = await app.send("POST", `/v1/auth/${path}`, { as: null, body: {}, headers });
        if (reasonOf(refused) !== "origin_refused") told.push(`${origin} ${path}: ${refused.status}`);
      }
    }
    t.same(told, []);
  });

  attack(t, app, "N08 what is too deep, too long or no object is refused before it is looked up", async (t) => {
    const deep = `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`;
    const bodies = ["[]", "null", "1", '"x"', "", "{", deep, `{"email":${deep},"password":"x"}`, `{"email":1e400000}`];
    const wrong: string[] = [];
    for (const path of ["sign-up", "sign-in", "refresh", "password/forgot", "password/reset", "email/verify"]) {
      for (const body of [...bodies, `{"email":"${"a".repeat(2_000_000)}@example.org","password":"x"}`]) {
        const { status } = await post(path, body);
        if (![400, 401, 413].includes(status)) wrong.push(`${path} ${body.slice(0, 20)}: ${status}`);
      }
    }
    t.same(wrong, []);
  });

  attack(t, app, "F41 N10 without the counters nobody is let in, and documents go on", async (t) => {
    const { email, refreshToken } = await someone();
    const { store } = app.app;
    const { commit } = store;
    await app.send("PUT", "/v1/documents/posts/f41", { body: { a: 1 } });
    store.commit = async (writes, values) => {
      const counts = writes.some(({ collection }) => collection === "_limits");
      if (counts) throw new GalleyError("unavailable", "the store is gone", { outcome: "not_applied" });
      return commit.call(store, writes, values);
    };
    t.teardown(() => Object.assign(store, { commit }));
    for (const [path, body] of [
      ["sign-in", { email, password: PASSWORD }],
      ["sign-in", { email, password: OTHER_PASSWORD }],
      ["password/forgot", { email }],
    ] as const) {
      const { status, json } = await post(path, body);
      t.match([status, json.error.code, json.session], [503, "unavailable", undefined], path);
    }
    t.equal(await statusOf(app.send("GET", "/v1/documents/posts/f41")), 200);
    t.equal(await statusOf(app.send("PUT", "/v1/documents/posts/f41", { body: { a: 2 } })), 200);
    Object.assign(store, { commit });
    t.equal(await statusOf(signIn(email)), 200);
    t.equal(await statusOf(post("refresh", { refreshToken })), 200);
  });

  for (const format of ["json", "pretty"] as const) {
    t.test(`N12 hostile text is one line each and no secret is written down, as ${format}`, (t) =>
      keepsSecrets(t, engine, format),
    );
  }
});
