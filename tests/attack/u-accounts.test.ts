/** attack-cases.md group U over HTTP, on both engines with the same verdicts. */
import { createHmac } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { type Answer, startApp } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";
import { mailFor } from "../support/mailbox.ts";

const PASSWORD = "plum-orbit-lantern-42";
const OTHER = "quartz-meadow-harbour-7";
const MINUTE = 60_000;

onEachEngine(t, async (t, engine) => {
  let now = Date.parse("2026-03-01T00:00:00Z");
  const app = await startApp({ engine, clock: () => now, env: { GALLEY_TRUSTED_PROXIES: "127.0.0.1" } });
  t.teardown(() => app.close());
  let people = 0;
  let networks = 0;
  /** Each request from a network of its own, unless told: limits of networks are not what most of these look at. */
  const somewhere = () => ({ "x-forwarded-for": `10.${(networks >> 8) & 255}.${networks++ & 255}.7` });
  const post = (path: string, body?: object, as: string | null = null, headers = somewhere()): Promise<Answer> =>
    app.send("POST", `/v1/auth/${path}`, { ...(body && { body }), as, headers });
  const me = (as: string) => app.send("GET", "/v1/auth/me", { as });
  const mailed = (to: string, kind: string, nth = 1) => mailFor(app.folder, to, kind, nth);
  const reasonOf = ({ json }: Answer) => json?.error?.details?.reason;
  const someone = async () => {
    const email = `u${++people}@example.org`;
    const answer = await post("sign-up", { email, password: PASSWORD });
    if (answer.status !== 201) throw new Error(answer.text);
    const mail = await mailed(email, "verify");
    now += 2 * MINUTE;
    return { email, mail, ...answer.json.session };
  };
  /** Sends many at once. @returns how many of each status */
  const together = async (count: number, one: (i: number) => Promise<Answer>) => {
    const tally: Record<number, number> = {};
    for (const { status } of await Promise.all(Array.from({ length: count }, (_, i) => one(i)))) {
      tally[status] = (tally[status] ?? 0) + 1;
    }
    return tally;
  };

  t.test("U01 U02: nobody learns from an answer whether an address is known", async (t) => {
    const { email } = await someone();
    const bare = ({ status, headers, json }: Answer) => ({
      status,
      headers: Object.keys(headers).sort(),
      error: json?.error && { ...json.error, requestId: "" },
    });
    for (const [path, body] of [
      ["sign-in", { password: OTHER }],
      ["password/forgot", {}],
      ["sign-in", { password: "" }],
    ] as const) {
      const [known, unknown] = [email, "never-seen@example.org"].map((one) => post(path, { ...body, email: one }));
      t.strictSame(bare((await known) as Answer), bare((await unknown) as Answer), path);
    }
    for (let i = 0; i < 8; i++) {
      const from = { "x-forwarded-for": "192.0.2.9" };
      const known = await post("sign-in", { email, password: OTHER }, null, from);
      const unknown = await post("sign-in", { email: "never@example.org", password: OTHER }, null, from);
      t.equal(known.status, unknown.status, `lockout, try ${i + 1}`);
    }
  });

  t.test("U03 U04: passwords are judged whole, and the two forms of one are one", async (t) => {
    const signUp = (email: string, password: string) => post("sign-up", { email, password });
    const long = "lantern orbit ".repeat(6).slice(0, 72);
    t.equal((await signUp("long@example.org", `${long}a`)).status, 201);
    t.equal((await post("sign-in", { email: "long@example.org", password: long })).status, 401, "no truncation");
    t.equal((await signUp("huge@example.org", "x".repeat(1_000_000))).status, 400);
    const composed = "caf\u00e9 lantern orbit";
    t.equal((await signUp("nfc@example.org", composed)).status, 201);
    const decomposed = composed.normalize("NFD");
    t.equal((await post("sign-in", { email: "nfc@example.org", password: decomposed })).status, 200);
    t.equal((await post("sign-in", { email: "nfc@example.org", password: `${composed}\0` })).status, 401);
    const weak = ["1234567", "password", "Password1!", "qwertyuiop", "aaaaaaaaaa", "galley-galley", "weak-person-1"];
    for (const password of weak) {
      const { status, json } = await signUp("weak-person@example.org", password);
      t.match([status, json.error.details.faults[0].path], [400, "password"], password);
      if (password !== "password") t.notOk(json.error.message.includes(password), "it is not echoed");
    }
  });

  t.test("U05: of 200 wrong guesses at once few are judged, and the owner's device still gets in", async (t) => {
    const { email, deviceToken } = await someone();
    const guess = (i: number, network: number) =>
      post("sign-in", { email, password: `${OTHER}${i}` }, null, { "x-forwarded-for": `10.9.${network}.1` });
    const tally = await together(200, (i) => guess(i, 0));
    t.ok((tally[401] ?? 0) <= 5, `${tally[401]} were judged`);
    t.equal((tally[401] ?? 0) + (tally[429] ?? 0), 200);
    const refused = await guess(999, 0);
    t.equal(refused.status, 429);
    t.match(refused.headers["retry-after"], /^[1-9]\d*$/);
    // The queue takes three of one account at once.
    for (let i = 0; i < 129; i += 3) await together(3, (k) => guess(i + k, 1 + ((i + k) % 26)));
    const owner = (more: object) => post("sign-in", { email, password: PASSWORD, ...more });
    t.equal((await owner({})).status, 429, "after a hundred failures passwords are closed");
    t.equal((await owner({ deviceToken })).status, 200, "except from a known device");
    t.equal((await owner({ deviceToken: `${deviceToken.slice(0, -4)}AAAA` })).status, 429);
  });

  t.test("U06 U07: a refresh token that was used leads to one successor, and to none later", async (t) => {
    const { refreshToken } = await someone();
    const answers = await Promise.all(Array.from({ length: 20 }, () => post("refresh", { refreshToken })));
    const successors = new Set(answers.filter(({ status }) => status === 200).map(({ json }) => json.refreshToken));
    t.equal(successors.size, 1);
    const [next] = successors;
    now += 31_000;
    t.equal(reasonOf(await post("refresh", { refreshToken })), "session_ended");
    t.equal(reasonOf(await post("refresh", { refreshToken: next })), "session_ended");
  });

  t.test("U09 U18: a reset by the mailbox voids all that a squatter prepared", async (t) => {
    const squatter = await someone();
    const old = await post("email/resend", undefined, squatter.accessToken);
    const { code } = await mailed(squatter.email, "verify", 2);
    now += 2 * MINUTE;
    await post("password/forgot", { email: squatter.email });
    const mail = await mailed(squatter.email, "reset");
    t.equal((await post("password/reset", { token: mail.token, password: OTHER })).status, 204);
    t.equal((await me(squatter.accessToken)).status, 401);
    t.equal((await post("refresh", { refreshToken: squatter.refreshToken })).status, 401);
    t.equal((await post("sign-in", { email: squatter.email, password: PASSWORD })).status, 401);
    t.equal((await post("email/verify", { token: squatter.mail.token, password: OTHER })).status, 401);
    t.equal((await post("email/verify", { challenge: old.json.next.challenge, code })).status, 401);
    t.equal((await post("sign-in", { email: squatter.email, password: OTHER })).status, 200);
  });

  t.test("U10: no token passes for another", async (t) => {
    const { accessToken, refreshToken, deviceToken, mail, user, id } = await someone();
    const [head = "", body = "", mac = ""] = accessToken.split(".");
    const header = JSON.parse(Buffer.from(head, "base64url").toString());
    const claims = JSON.parse(Buffer.from(body, "base64url").toString());
    const secret = readFileSync(join(app.folder, "secret"), "utf8").trim();
    const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");
    const forge = (h: object, c: object, key: string | Buffer = secret) => {
      const text = `${encode({ ...header, ...h })}.${encode({ ...claims, ...c })}`;
      return `${text}.${createHmac("sha256", key).update(text).digest("base64url")}`;
    };
    const forged: Record<string, string> = {
      "alg none": `${encode({ ...header, alg: "none" })}.${body}.`,
      "alg None": `${encode({ ...header, alg: "None" })}.${body}.${mac}`,
      "alg RS256": `${encode({ ...header, alg: "RS256" })}.${body}.${mac}`,
      "a key of nothing": forge({}, {}, Buffer.alloc(32)),
      "the server's secret itself": forge({}, {}),
      "kid as a path": forge({ kid: "../../../dev/null" }, {}),
      "kid as SQL": forge({ kid: "x' UNION SELECT 'key" }, {}),
      jku: forge({ jku: "https://evil.example/keys" }, {}),
      jwk: forge({ jwk: { kty: "oct", k: "AAAA" } }, {}),
      crit: forge({ crit: ["exp"] }, {}),
      "a changed claim": `${head}.${encode({ ...claims, sub: "someone-else" })}.${mac}`,
      "exp as text": forge({}, { exp: `${claims.exp}` }),
      "another audience": forge({}, { aud: "galley-admin" }),
      "a refresh token": refreshToken,
      "a device token": deviceToken,
      "a mailed link": mail.token as string,
      "a session id": id,
      "a user id": user.id,
      "three dots": "...",
      "no signature": `${head}.${body}.`,
      "a very long one": `${head}.${"A".repeat(5000)}.${mac}`,
    };
    for (const [what, token] of Object.entries(forged)) t.equal((await me(token)).status, 401, what);
    t.equal((await me(accessToken)).status, 200);
    for (const token of [accessToken, deviceToken, mail.token as string]) {
      t.equal((await post("refresh", { refreshToken: token })).status, 401);
      t.equal((await post("password/reset", { token, password: OTHER })).status, 401, "a verify link is no reset link");
    }
    for (const path of ["/v1/admin/users", "/v1/admin/keys", "/v1/admin/settings"]) {
      t.equal((await app.send("GET", path, { as: accessToken })).status, 403, "a user's token is no admin's");
    }
    const inUrl = await app.send("GET", `/v1/documents/posts?after=${accessToken}`, { as: null });
    t.equal(inUrl.status, 401, "a token in a URL is refused");
  });

  t.test("U11 U21: each single-use secret has one winner of twenty at once", async (t) => {
    const { email } = await someone();
    await post("password/forgot", { email });
    const { token } = await mailed(email, "reset");
    const resets = await together(20, () => post("password/reset", { token, password: OTHER }));
    t.equal(resets[204], 1, JSON.stringify(resets));
    const proof = await someone();
    const verified = await together(20, () => post("email/verify", { token: proof.mail.token }, proof.accessToken));
    t.equal(verified[204], 1, JSON.stringify(verified));
    const body = { email: `invited${people}@example.org` };
    await app.send("POST", "/v1/admin/users", { body });
    const { token: invite } = await mailed(body.email, "invite");
    const taken = await together(20, () => post("sign-up", { ...body, invite, password: PASSWORD }));
    t.equal(taken[201], 1, JSON.stringify(taken));
    const variants = await together(20, (i) =>
      post("sign-up", { email: i % 2 ? "Case.Variant@example.org" : "case.variant@EXAMPLE.org", password: PASSWORD }),
    );
    t.equal(variants[201], 1, JSON.stringify(variants));
  });

  t.test("U12: links begin with the public URL, whatever a request says of itself", async (t) => {
    const { email } = await someone();
    const headers = {
      ...somewhere(),
      host: "evil.example",
      "x-forwarded-host": "evil.example",
      "x-forwarded-proto": "https",
      forwarded: "host=evil.example",
    };
    await post("password/forgot", { email }, null, headers);
    const mail = await mailed(email, "reset");
    t.ok(mail.link?.startsWith(`${app.url}/auth/reset#token=`), `${mail.link}`);
    t.notOk(mail.source.includes("evil.example"));
  });

  t.test("U20: a code has five tries, counted before they are judged, over all networks", async (t) => {
    const { accessToken, email } = await someone();
    const sent = await post("email/resend", undefined, accessToken);
    const { code } = await mailed(email, "verify", 2);
    const { challenge } = sent.json.next;
    const wrong = Array.from({ length: 30 }, (_, i) => `${100_000 + i}`).filter((one) => one !== code);
    const tally = await together(wrong.length, (i) => post("email/verify", { challenge, code: wrong[i] as string }));
    t.strictSame(Object.keys(tally), ["401"], JSON.stringify(tally));
    t.equal(
      reasonOf(await post("email/verify", { challenge, code })),
      "secret_invalid",
      "the right one comes too late",
    );
  });

  t.test("U23: opening a link spends nothing", async (t) => {
    const { mail, accessToken } = await someone();
    const { pathname } = new URL(mail.link as string);
    for (const method of ["GET", "HEAD"]) await app.send(method, pathname, { as: null });
    t.equal((await post("email/verify", { token: mail.token }, accessToken)).status, 204);
  });

  t.test("U24: keys are made by whom their scopes let, and never beyond them", async (t) => {
    const KEYS = "/v1/admin/keys";
    const body = { name: "x", scopes: ["*"] };
    const { accessToken } = await someone();
    t.equal((await app.send("POST", KEYS, { body, as: null })).status, 401);
    t.equal((await app.send("POST", KEYS, { body, as: accessToken })).status, 403);
    const narrow = await app.send("POST", KEYS, { body: { name: "n", scopes: ["admin:keys:write"] } });
    t.equal((await app.send("POST", KEYS, { body, as: narrow.json.secret })).status, 403);
    const origin = { origin: "http://localhost:3000" };
    t.equal((await app.send("GET", "/v1/documents/posts", { headers: origin })).status, 403);
  });

  t.test("U27: names and addresses stay what they are: text", async (t) => {
    const name = '<img src=x onerror=alert(1)> {{link}} {{code}} "&';
    const body = { email: "inert@example.org", password: PASSWORD, name };
    t.equal((await post("sign-up", body)).status, 201);
    const mail = await mailed(body.email, "verify");
    t.notOk(/<img src=x/.test(mail.source.replace(/=\r?\n/g, "")), "no markup in the HTML part");
    t.equal(mail.source.split(/#token=/).length - 1 <= 4, true, "braces in a name are no template");
    for (const evil of [
      "a@b.example\r\nBcc: victim@example.org",
      "a@b.example,victim@example.org",
      "<a@b.example>",
      '"x"@b.example',
      "a@[127.0.0.1]",
      "a b@example.org",
      "@example.org",
      "a@",
      `${"a".repeat(65)}@example.org`,
      `a@${"b".repeat(64)}.example`,
    ]) {
      t.equal((await post("sign-up", { email: evil, password: PASSWORD })).status, 400, JSON.stringify(evil));
    }
    t.equal((await post("sign-up", { ...body, email: "crlf@example.org", name: "a\r\nBcc: x" })).status, 400);
  });

  t.test("what is stored and written shows no secret", async (t) => {
    const { accessToken, refreshToken, mail } = await someone();
    const stored: string[] = [];
    for (const name of readdirSync(app.folder)) {
      if (/\.(db|db-wal)$/.test(name)) stored.push(readFileSync(join(app.folder, name), "latin1"));
    }
    for (const secret of [PASSWORD, accessToken, refreshToken, mail.token as string]) {
      t.notOk(stored.some((text) => text.includes(secret)));
    }
  });
});
