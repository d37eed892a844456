/** What accounts hand out and check by themselves, without a store: keys, seals, tokens, and what a device tells. */
import { createHmac, createPrivateKey, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import t, { type Test } from "tap";
import { deriveKeys, type KeyPurpose } from "../../server/accounts/secrets/derived-keys.ts";
import { createSeal } from "../../server/accounts/secrets/seal.ts";
import { type AccessClaims, createAccessTokens } from "../../server/accounts/sessions/access-token.ts";
import type { Bearer } from "../../server/accounts/sessions/bearer.ts";
import { createDeviceTokens } from "../../server/accounts/sessions/device-token.ts";
import { createKnownTokens } from "../../server/accounts/sessions/known-tokens.ts";
import {
  formatRefreshToken,
  isMadeOf,
  macOf,
  parseRefreshToken,
} from "../../server/accounts/sessions/refresh-token.ts";

const NEW = "the newer secret of the tests, over 32 bytes";
const OLD = "the older secret of the tests, over 32 bytes";
const PURPOSES: readonly KeyPurpose[] = ["access", "refresh", "code", "seal", "device", "check"];
const NOW = Date.UTC(2026, 0, 31, 10);
const SECONDS = NOW / 1000;
const DAY = 24 * 60 * 60 * 1000;
const random = (bytes: number) => randomBytes(bytes);
const invalid = { code: "unauthenticated", details: { reason: "token_invalid", outcome: "not_applied" } } as const;
const ada = { pool: "user", user: "u1", session: "s".repeat(22) } as const;

t.test("each secret gives one key for each purpose, and none tells another", async (t) => {
  const both = deriveKeys([NEW, OLD]);
  const all = PURPOSES.flatMap((purpose) => both.of(purpose));
  t.equal(new Set(all.map(({ bytes }) => Buffer.from(bytes).toString("hex"))).size, 12);
  t.equal(new Set(all.map(({ kid }) => kid)).size, 12);
  t.ok(all.every(({ kid, bytes }) => bytes.length === 32 && /^[0-9a-f]{16}$/.test(kid)));
  for (const purpose of PURPOSES) {
    t.same(both.of(purpose)[0], deriveKeys([NEW]).of(purpose)[0], "the first makes");
    t.same(both.of(purpose)[1], deriveKeys([OLD]).of(purpose)[0]);
  }
  t.throws(() => deriveKeys([]));
});

t.test("what is sealed opens in its place only, unchanged, under any secret that is known", async (t) => {
  const seals = {
    both: seal([NEW, OLD]),
    old: seal([OLD]),
    other: seal(["another secret of the tests, over 32 bytes"]),
  };
  for (const text of ["", "a", "code 123456 für Zoë 🦊", "x".repeat(10_000)]) {
    const sealed = seals.both.seal(text, "_mail/m1");
    t.equal(seals.both.open(sealed, "_mail/m1"), text);
    t.not(seals.both.seal(text, "_mail/m1"), sealed, "never the same twice");
    t.equal(seals.both.open(sealed, "_mail/m2"), undefined);
    t.equal(seals.other.open(sealed, "_mail/m1"), undefined);
    t.equal(seals.both.open(seals.old.seal(text, "_mail/m1"), "_mail/m1"), text);
    t.notMatch(sealed, /code 123456|x{20}/);
  }
  const sealed = seals.both.seal("secret", "c");
  for (let i = 0; i < sealed.length; i++) {
    const changed = sealed.slice(0, i) + (sealed[i] === "A" ? "B" : "A") + sealed.slice(i + 1);
    // The last character has bits that say nothing.
    if (i < sealed.length - 1) t.equal(seals.both.open(changed, "c"), undefined, `character ${i}`);
  }
  const [kid] = sealed.split(".");
  for (const text of ["", ".", "x", kid, `${kid}.`, `${kid}.AAAA`, sealed.slice(0, -4), ` ${sealed}`, `${sealed}.x`]) {
    t.equal(seals.both.open(text ?? "", "c"), undefined);
  }
});

t.test("an access token says who, for how long, and holds with the leeway of clocks", async (t) => {
  const { time, tokens } = setUp();
  const token = await tokens.issue(ada, 900);
  t.ok(token.length <= 2048);
  const [header = "", claims = ""] = token.split(".").map((part) => Buffer.from(part, "base64url").toString());
  t.strictSame(JSON.parse(header), { alg: "HS256", typ: "at+jwt", kid: deriveKeys([NEW]).of("access")[0].kid });
  const { iss, aud, sub, sid, ep, iat, exp, ...more } = JSON.parse(claims);
  t.same([iss, aud, sub, sid, ep], ["https://a.example", "galley", "u1", ada.session, "e1"]);
  t.same([iat, exp, more], [SECONDS, SECONDS + 900, {}]);
  const expected = { ...ada, expiresAt: NOW + 900_000 };
  t.strictSame(tokens.verify(token), expected, "whoever made it knows it, at once");
  const { tokens: elsewhere } = setUp({ time });
  const first = elsewhere.verify(token);
  t.ok(first instanceof Promise, "on another node it is verified");
  t.strictSame(await first, expected);
  t.strictSame(elsewhere.verify(token), expected, "and known from then on");
  time.now += 929_999;
  for (const known of [tokens, elsewhere]) t.strictSame(known.verify(token), expected);
  t.strictSame(await setUp({ time }).tokens.verify(token), expected);
  time.now += 1;
  for (const known of [tokens, elsewhere]) await refused(t, known, token, "a known one ends as well");
  await refused(t, setUp({ time }).tokens, token);
  time.now = NOW - 30_000;
  t.strictSame(await setUp({ time }).tokens.verify(token), expected, "a clock that is behind");
  time.now -= 1;
  await refused(t, setUp({ time }).tokens, token, "one of the future");
});

t.test("pools have audiences of their own; every key of the secret checks; other servers' tokens do not", async (t) => {
  const { tokens } = setUp();
  for (const { tokens: checking } of [{ tokens }, setUp()]) {
    const admin = await tokens.issue({ ...ada, pool: "admin" }, 60);
    t.match(await checking.verify(admin), { pool: "admin" });
    t.match(await checking.verify(await tokens.issue(ada, 60)), { pool: "user" });
  }
  const older = await setUp({ secrets: [OLD] }).tokens.issue(ada, 60);
  t.match(await setUp({ secrets: [NEW, OLD] }).tokens.verify(older), ada);
  const newer = await setUp({ secrets: [NEW, OLD] }).tokens.issue(ada, 60);
  t.match(await setUp({ secrets: [NEW] }).tokens.verify(newer), ada);
  await refused(t, setUp({ secrets: [OLD] }).tokens, newer);
  await refused(t, tokens, await setUp({ issuer: "https://b.example" }).tokens.issue(ada, 60), "another issuer");
  await refused(t, tokens, await setUp({ epoch: "e2" }).tokens.issue(ada, 60), "of before a restore");
});

t.test("U10: nothing but a token as it was made is one", async (t) => {
  const { tokens, keys } = setUp();
  const header = { alg: "HS256", typ: "at+jwt", kid: keys.of("access")[0].kid };
  const times = { iat: SECONDS, exp: SECONDS + 900 };
  const claims = { iss: "https://a.example", aud: "galley", sub: "u1", sid: ada.session, ep: "e1", ...times };
  const made = (head: object | string, body: unknown, key: Uint8Array = keys.of("access")[0].bytes) => {
    const start = `${encoded(head)}.${encoded(body)}`;
    return `${start}.${createHmac("sha256", key).update(start).digest("base64url")}`;
  };
  t.match(await tokens.verify(made(header, claims)), ada, "the frame of this test makes good ones");

  const jwk = { kty: "oct", k: Buffer.from(NEW).toString("base64url") };
  const heads: Record<string, object | string> = {
    "alg none": { ...header, alg: "none" },
    "alg None": { ...header, alg: "None" },
    "alg RS256": { ...header, alg: "RS256" },
    "alg HS384": { ...header, alg: "HS384" },
    "alg hs256": { ...header, alg: "hs256" },
    "alg list": { ...header, alg: ["HS256"] },
    "no alg": { typ: "at+jwt", kid: header.kid },
    "typ JWT": { ...header, typ: "JWT" },
    "typ AT+JWT": { ...header, typ: "AT+JWT" },
    "typ application/at+jwt": { ...header, typ: "application/at+jwt" },
    "no typ": { alg: "HS256", kid: header.kid },
    "no kid": { alg: "HS256", typ: "at+jwt" },
    "kid as path": { ...header, kid: "../../../dev/null" },
    "kid as SQL": { ...header, kid: "' UNION SELECT 'key' --" },
    "kid of another purpose": { ...header, kid: keys.of("seal")[0].kid },
    "kid as prototype": { ...header, kid: "__proto__" },
    "kid twice": `${JSON.stringify(header).slice(0, -1)},"kid":"x"}`,
    jku: { ...header, jku: "https://evil.example/jwks" },
    x5u: { ...header, x5u: "https://evil.example/cert" },
    jwk: { ...header, jwk },
    x5c: { ...header, x5c: [] },
    cty: { ...header, cty: "JWT" },
    "crit known": { ...header, crit: ["b64"], b64: true },
    "crit unknown": { ...header, crit: ["exp"], exp: 1 },
    "b64 false": { ...header, b64: false },
    "other order": { kid: header.kid, typ: "at+jwt", alg: "HS256" },
    spaced: JSON.stringify(header, null, 1),
    "no object": "[]",
    "no JSON": "{",
  };
  for (const [name, head] of Object.entries(heads)) await refused(t, tokens, made(head, claims), name);

  const bodies: Record<string, unknown> = {
    "exp as text": { ...claims, exp: `${SECONDS + 900}` },
    "exp null": { ...claims, exp: null },
    "exp endless": JSON.stringify(claims).replace(/"exp":\d+/, '"exp":1e999'),
    "exp of before": { ...claims, exp: SECONDS - 30 },
    "no exp": { ...claims, exp: undefined },
    "iat as text": { ...claims, iat: `${SECONDS}` },
    "iat of tomorrow": { ...claims, iat: SECONDS + 31, exp: SECONDS + 931 },
    "no iat": { ...claims, iat: undefined },
    "nbf of tomorrow": { ...claims, nbf: SECONDS + 31 },
    "foreign iss": { ...claims, iss: "https://b.example" },
    "iss list": { ...claims, iss: ["https://a.example"] },
    "no iss": { ...claims, iss: undefined },
    "foreign aud": { ...claims, aud: "other" },
    "aud list": { ...claims, aud: ["galley"] },
    "both auds": { ...claims, aud: ["galley", "galley-admin"] },
    "no aud": { ...claims, aud: undefined },
    "foreign ep": { ...claims, ep: "e2" },
    "no ep": { ...claims, ep: undefined },
    "sub as number": { ...claims, sub: 1 },
    "no sub": { ...claims, sub: undefined },
    "sid as list": { ...claims, sid: [ada.session] },
    "no sid": { ...claims, sid: undefined },
    "no object": [claims],
    "no JSON": "{",
  };
  for (const [name, body] of Object.entries(bodies)) await refused(t, tokens, made(header, body), name);

  for (const purpose of PURPOSES.slice(1)) {
    await refused(t, tokens, made(header, claims, keys.of(purpose)[0].bytes), `signed with the key for ${purpose}`);
  }
  await refused(t, tokens, made(header, claims, new Uint8Array(0)), "signed with nothing");
  await refused(t, tokens, made(header, claims, Buffer.from(NEW)), "signed with the secret itself");
  const { privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    privateKeyEncoding: PEM,
    publicKeyEncoding: SPKI,
  });
  const rs256 = `${encoded({ ...header, alg: "RS256" })}.${encoded(claims)}`;
  const signature = sign("sha256", Buffer.from(rs256), createPrivateKey(privateKey)).toString("base64url");
  await refused(t, tokens, `${rs256}.${signature}`, "really RS256");
});

t.test("U10: no other text is taken for an access token, whatever is done to a good one", async (t) => {
  const { tokens, keys } = setUp();
  const good = await tokens.issue(ada, 900);
  const [head, body, mac] = good.split(".");
  const session = { session: ada.session, generation: 1 };
  const others = [
    ...["", ".", "..", "...", "a.b.c", "null", "x".repeat(1e6), `${"x".repeat(1e6)}.x.x`],
    ...[
      `${head}.${body}`,
      `${head}.${body}.`,
      `.${body}.${mac}`,
      `${head}..${mac}`,
      `${good}.`,
      `${good}.x`,
      ` ${good}`,
    ],
    ...[`${good} `, `${good}\n`, `${good}=`, `${good}\u0000`, good.toLowerCase(), `Bearer ${good}`, good.slice(1)],
    formatRefreshToken({ ...session, mac: macOf(keys.of("refresh")[0], { ...session, epoch: "e1", salt: "x" }) }),
    createDeviceTokens({ keys, clock: () => NOW, random }).issue({ pool: "user", id: "u1" }),
    `${"i".repeat(22)}.${"l".repeat(43)}`,
    createSeal({ keys, random }).seal("x", "x"),
  ];
  for (const text of others) await refused(t, tokens, text, shown(text));
  const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  for (let i = 0; i < good.length; i++) {
    // The neighbour, too: of a last character it may differ in bits that say nothing.
    const neighbour = digits[digits.indexOf(good.charAt(i)) ^ 1] ?? "A";
    await refused(t, tokens, good.slice(0, i) + neighbour + good.slice(i + 1), `character ${i}`);
  }
  const { tokens: elsewhere } = setUp();
  const longest = await elsewhere.issue({ ...ada, user: "u".repeat(1200) }, 900);
  t.match(await tokens.verify(longest), { user: "u".repeat(1200) });
  await refused(t, tokens, await elsewhere.issue({ ...ada, user: "u".repeat(1500) }, 900), "over 2 KiB");
});

t.test("two tokens asked for in turn 100,000 times are never mixed up", async (t) => {
  const [{ tokens: making }, { tokens }] = [setUp(), setUp()];
  const alike = [ada, { ...ada, user: "u2" }, { ...ada, pool: "admin" } as const, { ...ada, session: "t".repeat(22) }];
  const issued = await Promise.all(alike.map((one) => making.issue(one, 900)));
  await Promise.all(issued.map((token) => tokens.verify(token)));
  let wrong = 0;
  for (let i = 0; i < 100_000; i++) {
    const at = (i * 7) % issued.length;
    const { pool, user, session } = tokens.verify(issued[at] ?? "") as Whose;
    const right = alike[at];
    if (pool !== right?.pool || user !== right.user || session !== right.session) wrong++;
  }
  t.equal(wrong, 0);
});

t.test("a refresh token has one form, and proves its session and generation under any known secret", async (t) => {
  const source = { epoch: "e1", session: "S_-".padEnd(22, "_"), generation: 7, salt: "salt" };
  const [newest, older] = deriveKeys([NEW, OLD]).of("refresh");
  if (!older) throw new Error("expects two keys");
  const mac = macOf(newest, source);
  const token = formatRefreshToken({ ...source, mac });
  t.match(token, /^gr_.{22}_7_[A-Za-z0-9_-]{43}$/);
  const parts = parseRefreshToken(token);
  t.strictSame(parts, { session: source.session, generation: 7, mac });
  if (!parts) throw new Error("expects the parts");
  t.ok(isMadeOf(parts, source, [newest]));
  t.ok(isMadeOf({ ...parts, mac: macOf(older, source) }, source, [newest, older]));
  t.notOk(isMadeOf({ ...parts, mac: macOf(older, source) }, source, [newest]));
  for (const other of [{ epoch: "e2" }, { session: "T".repeat(22) }, { generation: 8 }, { salt: "salz" }]) {
    t.notOk(isMadeOf(parts, { ...source, ...other }, [newest, older]), JSON.stringify(other));
  }
  const foreign = ["", "gr_", token.slice(1), `${token}x`, ` ${token}`, `${token}\n`, token.replace("gr_", "gd_")];
  const numbers = ["_07_", "_0_", "_-1_", "_7.0_", "_1e3_", "__", `_${"9".repeat(16)}_`].map((n) =>
    token.replace("_7_", n),
  );
  for (const text of [...foreign, ...numbers, "x".repeat(1e6)]) t.equal(parseRefreshToken(text), undefined);
});

t.test("a device token knows its device for one person and a year", async (t) => {
  const time = { now: NOW };
  const devices = createDeviceTokens({ keys: deriveKeys([OLD]), clock: () => time.now, random });
  const later = createDeviceTokens({ keys: deriveKeys([NEW, OLD]), clock: () => time.now, random });
  const token = devices.issue({ pool: "user", id: "u1" });
  const id = devices.knows(token, { pool: "user", id: "u1" });
  t.match(id, /^[A-Za-z0-9_-]{22}$/);
  t.equal(later.knows(token, { pool: "user", id: "u1" }), id, "also once the secret has been replaced");
  t.not(devices.knows(devices.issue({ pool: "user", id: "u1" }), { pool: "user", id: "u1" }), id);
  t.equal(devices.knows(token, { pool: "user", id: "u2" }), undefined);
  t.equal(devices.knows(token, { pool: "admin", id: "u1" }), undefined);
  t.equal(devices.knows(later.issue({ pool: "user", id: "u1" }), { pool: "user", id: "u1" }), undefined);
  const [, expiry = ""] = token.split("_");
  const altered = [token.replace(expiry, `${Number(expiry) + 1}`), token.replace(expiry, `0${expiry}`)];
  const changed = token.slice(0, 20) + (token[20] === "A" ? "B" : "A") + token.slice(21);
  for (const text of ["", "gd_", `${token}x`, token.slice(0, -1), changed, "x".repeat(1e6), ...altered]) {
    t.equal(devices.knows(text, { pool: "user", id: "u1" }), undefined);
  }
  time.now += 365 * DAY - 1;
  t.equal(devices.knows(token, { pool: "user", id: "u1" }), id);
  time.now += 1;
  t.equal(devices.knows(token, { pool: "user", id: "u1" }), undefined);
});

const PEM = { type: "pkcs8", format: "pem" } as const;
const SPKI = { type: "spki", format: "pem" } as const;

interface Setting {
  readonly time?: { now: number };
  readonly secrets?: readonly string[];
  readonly issuer?: string;
  readonly epoch?: string;
}

function setUp({
  time = { now: NOW },
  secrets = [NEW, OLD],
  issuer = "https://a.example",
  epoch = "e1",
}: Setting = {}) {
  const keys = deriveKeys(secrets);
  const { issue, verify } = createKnownTokens(
    createAccessTokens({ keys, issuer: () => issuer, epoch, clock: () => time.now }),
  );
  const tokens = {
    issue,
    verify(token: string): Whose | Promise<Whose> {
      const bearer = verify(token, time.now);
      return bearer instanceof Promise ? bearer.then(whoseOf) : whoseOf(bearer);
    },
  };
  return { time, keys, tokens };
}

type Whose = Omit<AccessClaims, "issuedAt">;

function whoseOf({ pool, user, session, expiresAt }: Bearer): Whose {
  return { pool, user, session, expiresAt };
}

function seal(secrets: readonly string[]) {
  return createSeal({ keys: deriveKeys(secrets), random });
}

async function refused(t: Test, tokens: ReturnType<typeof setUp>["tokens"], token: string, name?: string) {
  for (const time of ["first", "second"])
    await t.rejects(async () => tokens.verify(token), invalid, `${name} (${time})`);
}

/** As the name of an assertion, which must not break tap's lines. */
function shown(text: string): string {
  return text.slice(0, 30).replace(/[^ -~]/g, "?");
}

function encoded(part: unknown): string {
  return Buffer.from(typeof part === "string" ? part : JSON.stringify(part)).toString("base64url");
}
