import { createHmac } from "node:crypto";
import { GalleyError } from "#protocol/errors";
import { deriveKeys } from "../../../server/accounts/secrets/derived-keys.ts";
import { createAccessTokens } from "../../../server/accounts/sessions/access-token.ts";
import { findUser, removeUser, writeUser } from "../../../server/accounts/users.ts";
import type { Write } from "../../../server/stores/document-store.ts";
import type { ReportRow } from "../harness/report.ts";
import { ACCESS_SECONDS, type Holder, type TokenParts, VISIT } from "./token.ts";

/** The token of one in so many is forged, in every way. */
const FORGED_SHARE = 20;
const SECOND = 1000;
/** By which clocks may differ: access-token.ts. */
const LEEWAY = 30;

/** Tokens that must not be accepted, tried while those they are made of are held: forged, revoked in three ways, expired. */
export async function acceptedThatMustNot(
  what: string,
  parts: TokenParts,
  holders: readonly Holder[],
): Promise<ReportRow> {
  const { verifier, time } = parts;
  const accepts = async (token: string) => {
    try {
      await verifier.verify(token, VISIT.address);
      return true;
    } catch (error) {
      if (error instanceof GalleyError && error.code === "unauthenticated") return false;
      throw error;
    }
  };
  const tried = { forged: 0, revoked: 0, expired: 0 };
  const accepted = { forged: 0, revoked: 0, expired: 0 };
  const attempt = async (kind: keyof typeof tried, token: string) => {
    tried[kind]++;
    if (await accepts(token)) accepted[kind]++;
  };
  let refused = 0;
  for (const { token } of holders) if (!(await accepts(token))) refused++;

  for (const [i, holder] of holders.slice(0, Math.ceil(holders.length / FORGED_SHARE)).entries()) {
    const other = holders[(i + 1) % holders.length] as Holder;
    for (const token of await forgeriesOf(parts, holder, other)) await attempt("forged", token);
    if (!(await accepts(holder.token))) refused++;
  }
  const third = Math.floor(holders.length / 3);
  for (const [way, from] of [ended, disabled, removed].map((one, i) => [one, i * (third >> 1)] as const)) {
    const some = holders.slice(from, from + (third >> 1));
    await way(parts, some);
    for (const { token } of some) await attempt("revoked", token);
  }
  time.ahead = (ACCESS_SECONDS + LEEWAY) * SECOND;
  for (const { token } of holders.slice(3 * (third >> 1))) await attempt("expired", token);
  time.ahead = 0;

  const wrong = accepted.forged + accepted.revoked + accepted.expired + refused;
  return {
    what,
    ours: `${accepted.forged} of ${tried.forged}, ${accepted.expired} of ${tried.expired}, ${accepted.revoked} of ${tried.revoked} accepted`,
    ceiling: "-",
    ratio: wrong,
    target: "0 accepted",
    met: wrong === 0,
    note: `each while its token was known; good ones refused ${refused}, wrong ${wrong}`,
  };
}

async function forgeriesOf({ clock }: TokenParts, { token, session }: Holder, other: Holder): Promise<string[]> {
  const [head = "", body = "", mac = ""] = token.split(".");
  const [, otherBody = "", otherMac = ""] = other.token.split(".");
  const header = decoded(head);
  const claims = decoded(body);
  const signed = (h: object, c: object, key: string | Uint8Array) => {
    const text = `${encoded({ ...header, ...h })}.${encoded({ ...claims, ...c })}`;
    return `${text}.${createHmac("sha256", key).update(text).digest("base64url")}`;
  };
  const [own] = deriveKeys(["the secret of the benchmark, over 32 bytes"]).of("access");
  const [strange] = deriveKeys(["a secret that somebody else made up themselves"]).of("access");
  const elsewhere = createAccessTokens({
    keys: deriveKeys(["the secret of the benchmark, over 32 bytes"]),
    issuer: () => "https://evil.example",
    epoch: "e1",
    clock,
  });
  const { pool, user, id } = session;
  return [
    `${head}.${otherBody}.${mac}`,
    `${head}.${body}.${otherMac}`,
    `${encoded({ ...header, alg: "none" })}.${body}.`,
    `${encoded({ ...header, alg: "none" })}.${body}.${mac}`,
    `${head}.${encoded({ ...claims, sub: other.user.id })}.${mac}`,
    `${token.slice(0, -2)}${token.at(-2) === "A" ? "B" : "A"}${token.at(-1)}`,
    `${token}A`,
    token.slice(0, -1),
    signed({}, {}, strange.bytes),
    signed({ kid: strange.kid }, {}, strange.bytes),
    // By the right key, but not as we write it.
    signed({ typ: "JWT" }, {}, own.bytes),
    signed({ crit: ["exp"] }, {}, own.bytes),
    signed({}, { aud: "galley-admin" }, own.bytes),
    signed({}, { ep: "e0" }, own.bytes),
    signed({}, { sub: other.user.id }, own.bytes),
    signed({}, { iat: Number(claims.iat) + 3600 }, own.bytes),
    (await elsewhere.issue({ pool, user, session: id }, ACCESS_SECONDS)).token,
  ];
}

function decoded(part: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(part, "base64url").toString()) as Record<string, unknown>;
}

function encoded(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}

type Way = (parts: TokenParts, holders: readonly Holder[]) => Promise<void>;

const ended: Way = (parts, holders) =>
  committed(parts, holders, async ({ session }) => [parts.sessions.end(await storedSession(parts, session.id))]);

const disabled: Way = (parts, holders) =>
  committed(parts, holders, async ({ user }) => {
    const now = parts.clock();
    return [writeUser(parts.store, { ...(await storedUser(parts, user.id)), disabledAt: new Date(now) }, now)];
  });

const removed: Way = (parts, holders) =>
  committed(parts, holders, async ({ user, session }) => [
    removeUser(await storedUser(parts, user.id)),
    parts.sessions.remove(await storedSession(parts, session.id)),
  ]);

async function storedSession({ sessions }: TokenParts, id: string) {
  const session = await sessions.find(id);
  if (!session) throw new Error(`no session ${id}`);
  return session;
}

async function storedUser({ store }: TokenParts, id: string) {
  const user = await findUser(store, "user", id);
  if (!user) throw new Error(`no user ${id}`);
  return user;
}

/** What a revoking call does: it is answered once every node goes by it. */
async function committed(
  { store }: TokenParts,
  holders: readonly Holder[],
  writes: (holder: Holder) => Promise<Write[]>,
): Promise<void> {
  const positions = await Promise.all(holders.map(async (holder) => store.commit(await writes(holder))));
  const last = positions.sort().at(-1);
  if (last !== undefined) await store.barrier(last);
}
