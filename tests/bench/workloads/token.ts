import { randomBytes } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { GalleyError } from "#protocol/errors";
import { nameOf, type Principal } from "../../../server/access/principal.ts";
import { fresh } from "../../../server/accounts/record.ts";
import { deriveKeys } from "../../../server/accounts/secrets/derived-keys.ts";
import { createAccessTokens } from "../../../server/accounts/sessions/access-token.ts";
import { createKnownTokens } from "../../../server/accounts/sessions/known-tokens.ts";
import { createPrincipalTable } from "../../../server/accounts/sessions/principals.ts";
import { createSessions, SESSIONS, type SessionRecord } from "../../../server/accounts/sessions/sessions.ts";
import { createTokenVerifier } from "../../../server/accounts/sessions/token-verifier.ts";
import { USER_COLLECTIONS, type UserRecord, writeUser } from "../../../server/accounts/users.ts";
import type { DocumentStore } from "../../../server/stores/document-store.ts";
import { openMongoStore } from "../../../server/stores/mongodb/store.ts";
import { openSqliteStore } from "../../../server/stores/sqlite/store.ts";
import { type Random, seeded } from "../../support/seeded.ts";
import { type Engine, onEachEngine } from "../harness/engines.ts";
import type { ReportRow, Workload } from "../harness/report.ts";
import { median } from "../harness/rounds.ts";
import { acceptedThatMustNot } from "./token-refusals.ts";

/** B13: what checking an access token adds to a request, in process, through what the server checks them with. */
export const token: Workload = {
  name: "token",
  covers: ["B13"],
  run: (options) => onEachEngine(options, (engine) => tokenOn(engine, options.smoke)),
};

interface Size {
  readonly tokens: number;
  readonly rounds: number;
  /** Seconds of a server's life that a round plays. */
  readonly seconds: number;
}

const FULL: Size = { tokens: 10_000, rounds: 5, seconds: 10 };
const SMOKE: Size = { tokens: 300, rounds: 1, seconds: 2 };
/** Requests of such a second: below what one node answers (B1), so that the new ones weigh more than they do there. */
const REQUESTS = 5000;
/** One of so many is refreshed each second. */
const RENEWED = 100;
const MOST_MICROSECONDS = 2;
const SEED = 13;

/** Somebody with a token. */
export interface Holder {
  readonly user: UserRecord;
  session: SessionRecord;
  token: string;
}

/** The parts of the server that know tokens, on a store of their own. */
export type TokenParts = Awaited<ReturnType<typeof openParts>>;

async function tokenOn(engine: Engine, smoke: boolean): Promise<ReportRow[]> {
  const size = smoke ? SMOKE : FULL;
  const parts = await openParts(engine);
  try {
    const holders = await makeHolders(parts, size.tokens);
    const on = engine.name === "sqlite" ? "SQLite" : "MongoDB";
    return [
      await speedRow(`B13 token check on ${on}`, parts, holders, {
        ...size,
        maker: parts.tokens.issue,
        most: MOST_MICROSECONDS,
      }),
      await speedRow(`B13 token check on ${on}, new ones from another node`, parts, holders, {
        ...size,
        maker: async (...whose) => (await parts.access.issue(...whose)).token,
      }),
      await acceptedThatMustNot(`B13 forged, expired, revoked on ${on}`, parts, holders),
    ];
  } finally {
    parts.table.close();
    await parts.store.close();
  }
}

async function openParts({ folder, env }: Engine) {
  const time = { ahead: 0 };
  const clock = () => Date.now() + time.ahead;
  const random = (bytes: number) => randomBytes(bytes);
  const store = await openStore(folder, env.GALLEY_MONGODB_URL, { clock, random });
  for (const collection of [...USER_COLLECTIONS, SESSIONS]) await store.ensureCollection(collection);
  const common = { keys: deriveKeys(["the secret of the benchmark, over 32 bytes"]), epoch: "e1", clock };
  const lives = () => ({ idleSeconds: 30 * 86_400, absoluteSeconds: 90 * 86_400, most: 50 });
  const sessions = createSessions({ ...common, store, random, lives, onReuse: () => [] });
  const access = createAccessTokens({ ...common, issuer: () => ISSUER });
  const tokens = createKnownTokens(access);
  const table = createPrincipalTable({ store, clock });
  const verifier = createTokenVerifier({ tokens, table, networks: { demand() {} }, clock });
  return { store, clock, time, sessions, access, tokens, table, verifier };
}

const ISSUER = "https://galley.example";
export const ACCESS_SECONDS = 15 * 60;
export const VISIT = { address: "192.0.2.1", userAgent: "bench", requestId: "r1" };

async function openStore(
  folder: string,
  url: string | undefined,
  parts: { readonly clock: () => number; readonly random: (bytes: number) => Uint8Array },
): Promise<DocumentStore> {
  if (url === undefined) return openSqliteStore({ folder, clock: parts.clock });
  const store = await openMongoStore({ url, ...parts, warn: () => {} });
  await store.opened;
  return store;
}

const AT_ONCE = 100;

/** On a machine that has too much to do, this process may miss for a moment what others changed: then it tries again. */
async function whileInTouch<T>(act: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof GalleyError) || error.code !== "unavailable") throw error;
      if (error.details.outcome !== "not_applied") throw error;
      await wait(100);
    }
  }
}

/** So many people, each with one session and its token. */
async function makeHolders(parts: TokenParts, count: number): Promise<Holder[]> {
  const holders: Holder[] = [];
  while (holders.length < count) {
    const numbers = Array.from({ length: Math.min(AT_ONCE, count - holders.length) }, (_, i) => holders.length + i);
    holders.push(...(await Promise.all(numbers.map((n) => whileInTouch(() => makeHolder(parts, n))))));
  }
  return holders;
}

async function makeHolder({ store, sessions, tokens, clock }: TokenParts, n: number): Promise<Holder> {
  const now = clock();
  const email = `person-${n}@example.org`;
  const person = { ...fresh(`person-${n}`, now), pool: "user", guest: false } as const;
  const user: UserRecord = { ...person, email, emailKey: email, data: {}, roles: ["reader"], claims: {} };
  const started = await sessions.start({ pool: "user", user: user.id, visit: VISIT, proofs: ["password"] });
  await store.commit([writeUser(store, user, now), ...started.writes]);
  return { user, session: started.session, token: await issue(tokens.issue, started.session) };
}

type Maker = TokenParts["tokens"]["issue"];

function issue(maker: Maker, { pool, user, id }: SessionRecord): Promise<string> {
  return maker({ pool, user, session: id }, ACCESS_SECONDS);
}

interface Measured extends Size {
  /** Makes the new tokens. */
  readonly maker: Maker;
  /** Microseconds. */
  readonly most?: number;
}

async function speedRow(
  what: string,
  parts: TokenParts,
  holders: readonly Holder[],
  { rounds, seconds, maker, most = Infinity }: Measured,
): Promise<ReportRow> {
  const random = seeded(SEED);
  const all: Second[] = [];
  const means: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const played: Second[] = [];
    for (let second = 0; second < seconds; second++) {
      const renewed = await renew(parts, holders, random, maker);
      played.push(await playSecond(parts, holders, renewed, random));
    }
    // The first round finds all tokens unknown: it warms up.
    if (round === 0) continue;
    all.push(...played);
    means.push(meanOf(played, ({ wall }) => wall));
  }
  const mean = median(means);
  const wrong = all.reduce((sum, one) => sum + one.wrong, 0);
  const [cpu, known, anew] = (["cpu", "known", "anew"] as const).map((of) => meanOf(all, (one) => one[of]));
  return {
    what,
    ours: `${mean.toFixed(2)} µs a request`,
    ceiling: "-",
    ratio: mean,
    spread: (Math.max(...means) - Math.min(...means)) / mean,
    target: most === Infinity ? "told" : `<= ${most} µs`,
    met: mean <= most && wrong === 0,
    note: `of ${holders.length} tokens 1 % new a second, ${REQUESTS} requests a second; a known one ${known?.toFixed(2)} µs, a new one ${anew?.toFixed(0)} µs; ${cpu?.toFixed(2)} CPU-µs a request; wrong ${wrong}`,
  };
}

/** One in a hundred refreshes, as the route does: the session changes, and its next token is unknown. */
async function renew(
  { sessions }: TokenParts,
  holders: readonly Holder[],
  random: Random,
  maker: Maker,
): Promise<Holder[]> {
  const count = Math.ceil(holders.length / RENEWED);
  const from = Math.floor(random() * holders.length);
  const chosen = Array.from({ length: count }, (_, i) => holders[(from + i * 97) % holders.length] as Holder);
  const renewed = [...new Set(chosen)];
  await Promise.all(
    renewed.map(async (holder) => {
      const refreshToken = sessions.refreshTokenOf(holder.session);
      const { session } = await whileInTouch(() => sessions.rotate(refreshToken, VISIT));
      holder.session = session;
      holder.token = await issue(maker, session);
    }),
  );
  return renewed;
}

/** Microseconds a request of one second. */
interface Second {
  readonly wall: number;
  readonly cpu: number;
  /** Of those whose token was checked before, and of those whose was not. */
  readonly known: number;
  readonly anew: number;
  /** Taken for somebody else. */
  readonly wrong: number;
}

async function playSecond(
  { verifier }: TokenParts,
  holders: readonly Holder[],
  renewed: readonly Holder[],
  random: Random,
): Promise<Second> {
  const any = () => holders[Math.floor(random() * holders.length)] as Holder;
  const requests = [...renewed, ...Array.from({ length: REQUESTS - renewed.length }, any)];
  // Each request brings its token anew, as text that was read from a socket.
  const tokens = requests.map(({ token }) => Buffer.from(token, "latin1").toString("latin1"));
  const principals: Principal[] = [];
  const verify = async (from: number, to: number) => {
    // As they come in one after the other: each waits for its own answer only.
    for (let i = from; i < to; i++) {
      const verified = verifier.verify(tokens[i] as string, VISIT.address);
      principals.push(verified instanceof Promise ? await verified : verified);
    }
  };
  const cpu = process.cpuUsage();
  const began = performance.now();
  await verify(0, renewed.length);
  const between = performance.now();
  await verify(renewed.length, requests.length);
  const ended = performance.now();
  const spent = process.cpuUsage(cpu);
  const wrong = requests.filter(({ user }, i) => nameOf(principals[i] as Principal) !== user.id).length;
  return {
    wall: ((ended - began) * 1000) / REQUESTS,
    cpu: (spent.user + spent.system) / REQUESTS,
    known: ((ended - between) * 1000) / (requests.length - renewed.length),
    anew: ((between - began) * 1000) / renewed.length,
    wrong,
  };
}

function meanOf(seconds: readonly Second[], figure: (second: Second) => number): number {
  return seconds.reduce((sum, second) => sum + figure(second), 0) / seconds.length;
}
