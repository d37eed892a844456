/** attack-cases.md N12: everything that accounts do, with a log that is read whole afterwards. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import type { Test } from "tap";
import { createLog } from "../../server/log.ts";
import { startApp } from "../support/app.ts";
import type { Engine } from "../support/engines.ts";
import { OTHER_PASSWORD, PASSWORD, peopleOf } from "../support/people.ts";
import { requestText, sendRaw } from "../support/raw-http.ts";
import { until } from "../support/until.ts";

const HOSTILE = 'x\r\n\u001b[31mforged\u0085\u2028{"level":60}';
/** Shorter parts of a secret are found anywhere. */
const TELLING = 16;

/** Lives the life of an account with hostile texts and faults; no secret of it may be in the log, nor a line of another. */
export async function keepsSecrets(t: Test, engine: Engine, logFormat: "json" | "pretty"): Promise<void> {
  const output = new PassThrough();
  const chunks: Buffer[] = [];
  output.on("data", (chunk: Buffer) => chunks.push(chunk));
  const log = await createLog({ logLevel: "debug", logFormat }, output);
  const time = { now: Date.parse("2026-03-01T00:00:00Z") };
  const app = await startApp({ engine, mode: "production", clock: () => time.now, log, env: {} });
  let closed = false;
  const close = async () => {
    if (!closed) await app.close();
    closed = true;
  };
  t.teardown(close);
  const people = peopleOf(app, time);
  const { post, mailed } = people;
  const secrets = new Set<string>([PASSWORD, OTHER_PASSWORD, app.key]);
  const keep = (...texts: unknown[]) => {
    for (const text of texts) {
      if (typeof text !== "string" || text === "") continue;
      secrets.add(text);
      // A token's claims, MAC or secret alone tell as much.
      for (const part of text.split(/[._]/)) if (part.length >= TELLING) secrets.add(part);
    }
  };
  const session = (json: { session?: Record<string, string> }) => {
    const { accessToken, refreshToken, deviceToken } = json.session ?? {};
    keep(accessToken, refreshToken, deviceToken);
    return json.session as Record<string, string>;
  };
  const raw = (method: string, path: string, head: string[], body = "") =>
    sendRaw(app.url, requestText(method, path, [...head, `content-length: ${Buffer.byteLength(body)}`], body));

  // Coming in, with everything that a client may fill with text.
  const email = people.newEmail();
  const agent = `evil\u001b[31m \u0085 agent`;
  const type = "content-type: application/json";
  const signUp = JSON.stringify({ email, password: PASSWORD, deviceName: HOSTILE.slice(0, 90) });
  const made = await raw("POST", "/v1/auth/sign-up", [type, `user-agent: ${agent}`], signUp);
  if (made.statuses[0] !== 201) await post("sign-up", { email, password: PASSWORD });
  session(made.statuses[0] === 201 ? JSON.parse(made.text.slice(made.text.indexOf("{"))) : {});
  const { accessToken = "", refreshToken } = session(
    (await post("sign-in", { email, password: PASSWORD, deviceName: "desk" })).json,
  );
  const proof = await mailed(email, "verify");
  keep(proof.token, proof.code, proof.link);
  for (const hostile of [HOSTILE, `a@b.example${HOSTILE}`, "a@b.example\r\nBcc: victim@example.org"]) {
    for (const path of ["sign-up", "sign-in", "password/forgot"])
      await post(path, { email: hostile, password: PASSWORD });
    await post("sign-up", { email: people.newEmail(), password: OTHER_PASSWORD, name: hostile, locale: hostile });
    await app.send("PATCH", "/v1/auth/me", { as: accessToken, body: { name: hostile, data: { note: hostile } } });
    await post("email/verify", { token: hostile, password: PASSWORD });
    await post("email/verify", { challenge: hostile, code: proof.code });
  }
  // Tokens where they do not belong.
  const encoded = encodeURIComponent(HOSTILE);
  for (const token of [accessToken, refreshToken, proof.token, app.key]) {
    for (const path of [
      `/auth/verify?token=${token}`,
      `/v1/auth/me?access_token=${token}&x=${encoded}`,
      `/v1/${token}`,
    ]) {
      await app.send("GET", path, { as: null, headers: { cookie: `galley-admin=${token}`, "x-api-key": token } });
    }
    const basic = Buffer.from(`${email}:${PASSWORD}`).toString("base64");
    keep(basic);
    await app.send("GET", "/v1/auth/me", { as: null, headers: { authorization: `Basic ${basic}` } });
    await app.send("GET", `/v1/auth/sessions/${encoded}`, { as: token });
  }
  // Proofs, changes, keys, admins.
  await post("password/forgot", { email });
  time.now += 2 * 60_000;
  const reset = await mailed(email, "reset");
  keep(reset.token, reset.link);
  const next = (await post("email/change", { email: `new-${email}` }, accessToken)).json.next;
  keep(next?.challenge);
  const change = await mailed(`new-${email}`, "verify");
  keep(change.token, change.code);
  await post("email/verify", { challenge: next.challenge, code: "000000" });
  await post("password/change", { current: OTHER_PASSWORD, password: `${OTHER_PASSWORD}-new` }, accessToken);
  keep(`${OTHER_PASSWORD}-new`);
  const key = (await app.send("POST", "/v1/admin/keys", { body: { name: HOSTILE, scopes: ["admin:users:read"] } }))
    .json;
  keep(key.secret);
  const rotated = await app.send("POST", `/v1/admin/keys/${key.key.id}/rotate`, { body: { overlap: 60 } });
  keep(rotated.json.secret);
  keep(new URL((await app.app.setUpLink()) ?? "http://x").hash.split("code=")[1]);
  const owner = await people.admin("owner");
  keep(owner.accessToken);
  const cookie = await post("sign-in", { email: owner.email, password: PASSWORD, as: "admin", cookie: true });
  keep(/galley-admin=([^;]+)/.exec(String(cookie.headers["set-cookie"]))?.[1]);
  keep(cookie.json.session?.accessToken);
  // The store and the outbox fail while all of it is under way.
  const { store } = app.app;
  const { get, commit } = store;
  const fault = () => Promise.reject(new Error(`broken ${HOSTILE}`));
  Object.assign(store, { get: fault, commit: fault });
  await post("refresh", { refreshToken });
  await post("password/reset", { token: reset.token, password: OTHER_PASSWORD });
  await post("email/verify", { token: proof.token, password: PASSWORD });
  await post("sign-in", { email, password: PASSWORD });
  await post("sign-up", { email: people.newEmail(), password: OTHER_PASSWORD });
  await app.send("GET", "/v1/auth/me", { as: rotated.json.secret });
  await app.send("GET", `/v1/documents/posts/${encoded.slice(0, 50)}`);
  Object.assign(store, { get, commit });
  rmSync(join(app.folder, "outbox"), { recursive: true, maxRetries: 5 });
  writeFileSync(join(app.folder, "outbox"), "");
  const lost = people.newEmail();
  session((await post("sign-up", { email: lost, password: PASSWORD })).json);
  const text = () => Buffer.concat(chunks).toString("utf8");
  await until(() => text().includes("mail cannot be sent"), 20, "a line about the mail that cannot be sent");
  const audit = await app.send("GET", "/v1/admin/audit?limit=1000");
  await close();

  const lines = text().split("\n").filter(Boolean);
  const broken = lines.filter((line) => {
    if (/[\p{Cc}\u2028\u2029]/u.test(line)) return true;
    return logFormat === "json"
      ? !(line.startsWith("{") && JSON.parse(line).level < 60)
      : !/^\[\d\d:\d\d:\d\d/.test(line);
  });
  t.same(broken, [], "each line is one whole event");
  t.ok(lines.some((line) => line.includes("broken")) && lines.length > 10, `${lines.length} lines`);
  for (const [where, all] of Object.entries({ log: text(), audit: audit.text })) {
    t.same(
      [...secrets].filter((secret) => all.includes(secret)),
      [],
      `of ${secrets.size} secrets none is in the ${where}`,
    );
  }
}
