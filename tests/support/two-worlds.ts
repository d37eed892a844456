/**
 * T2 of promises.md: one seeded session of one caller against two databases that differ only in what that caller may not
 * see. What is answered must be the same, byte by byte, but for what promise P15 excepts, which is counted.
 */
import { createHash } from "node:crypto";
import { type Answer, startApp, type TestApp } from "./app.ts";
import type { Engine } from "./engines.ts";
import { publishRules } from "./publish-rules.ts";
import { Random } from "./trap-pool.ts";
import { CANARY, randomWorlds, type Stored, type Worlds } from "./two-worlds-documents.ts";
import { type Follower, openFollower } from "./two-worlds-live.ts";
import { randomLive, randomRequest, type WorldRequest } from "./two-worlds-requests.ts";
import { ACTIONS, randomRules, type WorldCaller, type WorldRules } from "./two-worlds-rules.ts";

const REQUESTS = 16;
const TEAMS = ["t1", "t2", "t3"];

export interface TwoWorldsReport {
  /** What was not the same, or showed what is hidden, with the seed of its session. */
  readonly faults: string[];
  /** Answers compared, by status. */
  readonly answers: Record<number, number>;
  /** What was set equal before it was compared: exceptions of P15, and what differs by chance. */
  readonly normalised: Record<string, number>;
  /** Sessions that ended because a chosen id or a unique value met a hidden document. */
  clashes: number;
  /** Lines of what sockets were told, compared. */
  frames: number;
}

interface World extends TestApp {
  readonly user: string;
  readonly token: string;
  /** Lines of the log since it was looked at. */
  readonly lines: string[];
  /** As the caller was last told. */
  readonly versions: Map<string, string>;
  next: string | undefined;
  /** Asks live, in sessions that do. */
  follower: Follower | undefined;
}

/** Two servers, which sessions share one after the other. */
export async function openTwoWorlds(engine: Engine) {
  const time = { now: Date.UTC(2026, 0, 31, 10) };
  const worlds = [await openWorld(engine, time), await openWorld(engine, time)] as const;
  const report: TwoWorldsReport = { faults: [], answers: {}, normalised: {}, clashes: 0, frames: 0 };
  if (worlds[0].user !== worlds[1].user) throw new Error("expects one id of the caller in both worlds");
  return {
    report,
    /** @param live whether questions are watched beside the requests, and what is told of them compared too */
    run: (seed: number, live = false) => runSession(worlds, time, seed, report, live),
    close: () => Promise.all(worlds.map((world) => world.close())),
  };
}

async function openWorld(engine: Engine, time: { now: number }): Promise<World> {
  const lines: string[] = [];
  const note = (event: object, message: string) => void lines.push(`${JSON.stringify(event)} ${message}`);
  const log = { debug: note, info: note, warn: note, error: note };
  const env = { GALLEY_SECRET: "a secret that both worlds have in common" };
  const live = { othersPerSecond: 10_000, questionBurst: 10_000 };
  // The same ones in both, so that the caller has one id.
  const random = repeatable();
  const app = await startApp({ mode: "production", engine, env, log, random, clock: () => time.now, live });
  const author = { type: "string", ref: "people" };
  const indexes = [{ paths: ["slug"], unique: true }, { paths: ["ownerId"] }, { paths: ["n", "secret"] }];
  const posts = { name: "posts", schema: { type: "object", properties: { author, n: { type: "number" } } }, indexes };
  await done(app, "POST", "/v1/admin/collections", posts);
  const { session } = (await app.send("POST", "/v1/auth/anonymous", { as: null, body: {} })).json;
  return {
    ...app,
    lines,
    user: session.user.id,
    token: session.accessToken,
    versions: new Map(),
    next: undefined,
    follower: undefined,
  };
}

/** Bytes that look random, the same ones at each start. */
function repeatable(): (bytes: number) => Uint8Array {
  let calls = 0;
  return (bytes) => createHash("shake256", { outputLength: bytes }).update(`${calls++}`).digest();
}

async function runSession(
  worlds: readonly [World, World],
  time: { now: number },
  seed: number,
  report: TwoWorldsReport,
  live: boolean,
) {
  const random = new Random(seed);
  // Of its own: a seed asks the same over HTTP whether or not there is a socket.
  const watching = new Random(seed + 1);
  const rules = randomRules(random);
  const editor = random.chance(50);
  const teams = random.some(TEAMS, random.below(3));
  const caller: WorldCaller = { id: "ME", editor, teams, runs: random.some(teams, random.below(2)) };
  const made = randomWorlds(random, rules, caller);
  const setBoth = async (act: (world: World, i: number) => Promise<unknown>) => {
    for (const [i, world] of worlds.entries()) await act(world, i);
  };
  await setBoth(async (world, i) => {
    const roles = editor ? ["editor"] : [];
    await done(world, "PATCH", `/v1/admin/users/${world.user}`, { roles });
    await publishRules(world, rules.rules);
    await store(world, made.stored[i] as readonly Stored[]);
    world.versions.clear();
    world.next = undefined;
    world.follower = live ? await openFollower(world.url, world.token) : undefined;
  });
  try {
    await runRequests();
  } finally {
    for (const { follower } of worlds) follower?.close();
  }

  async function runRequests() {
    let asked: WorldRequest[] = [];
    for (let step = 0; step < REQUESTS; step++) {
      time.now += 5;
      const request = randomRequest(random, { ...made, step, asked });
      asked = [...asked.slice(-5), request];
      const answers: Answer[] = [];
      for (const world of worlds) answers.push(await ask(world, request));
      const [one] = answers as [Answer, Answer];
      report.answers[one.status] = (report.answers[one.status] ?? 0) + 1;
      const shown = answers.map((answer) => comparable(answer, report.normalised));
      const where = `seed ${seed}, request ${step}: ${JSON.stringify(request)}`;
      if ([...answers.map(everything), ...worlds.map(takeLines)].some((text) => text.includes(CANARY))) {
        report.faults.push(`${where} shows what is hidden: ${one.text.slice(0, 400)}`);
      }
      if (shown[0] !== shown[1]) {
        if (isClash(answers, request)) report.clashes++;
        else
          report.faults.push(
            `${where}\n  ${shown[0]?.slice(0, 700)}\n  ${shown[1]?.slice(0, 700)}\n  ${JSON.stringify(rules.rules)}`,
          );
        return;
      }
      if (live && watching.chance(50)) {
        const query = randomLive(watching, made);
        await setBoth((world) => world.follower?.ask(named(world, query) as object) ?? Promise.resolve());
      }
      if (random.chance(live ? 15 : 8)) await setBoth(meanwhile(random, made, rules, worlds[0]));
      if (live && !(await isToldAlike(worlds, answers, where, report))) return;
    }
  }
}

/** Whether both sockets were told the same up to now. */
async function isToldAlike(
  worlds: readonly [World, World],
  answers: readonly Answer[],
  where: string,
  report: TwoWorldsReport,
): Promise<boolean> {
  const told: string[] = [];
  for (const [i, { follower }] of worlds.entries()) {
    told.push((await follower?.told(answers[i]?.headers["x-galley-position"] as string | undefined)) ?? "");
    if (follower?.raw().includes(CANARY)) report.faults.push(`${where}: frames show what is hidden: ${follower.raw()}`);
  }
  report.frames += told[0]?.split("\n").length ?? 0;
  if (told[0] === told[1]) return true;
  report.faults.push(`${where}: frames\n${told[0]}\nin the other world\n${told[1]}`);
  return false;
}

/** What happens beside the session: fewer rights, or other values of what is hidden. */
function meanwhile(random: Random, made: Worlds, rules: WorldRules, first: World) {
  const others = made.others();
  if (others && random.chance(50)) return (world: World) => change(world, world === first ? others[0] : others[1]);
  if (random.chance(40)) return (world: World) => done(world, "PATCH", `/v1/admin/users/${world.user}`, { roles: [] });
  const action = random.pick(ACTIONS);
  return (world: World) => publishRules(world, rules.narrowed(action));
}

/**
 * P15's first exception: what is chosen for its being free, an id or a unique value, tells what is taken, where it would
 * have been stored if it was free. Of a batch, the next operation may be what fails then. Where a document takes both an
 * id and a unique value, a free id is told of the value, a taken one of the id.
 */
function isClash(answers: readonly Answer[], { claims, body }: WorldRequest): boolean {
  const several = ((body as { operations?: unknown[] }).operations?.length ?? 1) > 1;
  const taken = answers.some(({ status }) => [404, 409, 412].includes(status));
  const isFree = answers.some(({ status, text }) => status < 300 || text.includes('"code":"unique_violation"'));
  return claims === true && taken && (several || isFree);
}

async function ask(world: World, request: WorldRequest): Promise<Answer> {
  const { ifVersionOf, follows, ...rest } = request;
  const version = ifVersionOf === undefined ? undefined : (world.versions.get(ifVersionOf) ?? "1");
  const text = JSON.stringify(named(world, rest.body)).replaceAll('"VERSION"', version ?? "1");
  const body = JSON.parse(text);
  const answer = await world.send(rest.method, rest.path, {
    as: world.token,
    body: follows && world.next !== undefined ? { ...body, after: world.next } : (body ?? undefined),
    headers: { ...rest.headers, ...(version === undefined ? {} : { "if-match": `"${version}"` }) },
  });
  for (const [, id, v] of answer.text.matchAll(/"_id":"(\w+)","_v":(\d+)/g)) world.versions.set(String(id), String(v));
  world.next = /"next":"([^"]+)"/.exec(answer.text)?.[1];
  return answer;
}

const NORMALISED: readonly (readonly [what: string, pattern: RegExp, instead: string])[] = [
  ["_v", /"(_?v)":\d+/g, '"$1":0'],
  ["_updatedAt", /"_updatedAt":(\{"\$date":)?"[^"]*"/g, '"_updatedAt":""'],
  ["position", /"position":"[^"]*"/g, '"position":""'],
  ["requestId", /"requestId":"[^"]*"/g, '"requestId":""'],
];

/** An answer without what may differ. */
function comparable({ status, headers, text }: Answer, counts: Record<string, number>): string {
  let shown = text;
  for (const [what, pattern, instead] of NORMALISED) {
    shown = shown.replace(pattern, (...match) => {
      counts[what] = (counts[what] ?? 0) + 1;
      return instead.replace("$1", String(match[1]));
    });
  }
  const { etag, date: _date, "x-request-id": _id, "x-galley-position": position, ...rest } = headers;
  // An entity tag begins with the version, and on MongoDB it ends with a hash.
  const tag = typeof etag === "string" ? etag.replace(/^"\d+-/, '"').replace(/-[0-9a-f]{16}"$/, '"') : etag;
  return JSON.stringify([status, tag, position !== undefined, rest, shown]);
}

function everything({ headers, text }: Answer): string {
  return `${JSON.stringify(headers)}\n${text}`;
}

function takeLines({ lines }: World): string {
  return lines.splice(0).join("\n");
}

/** Takes away what was stored, and stores what is to be. */
async function store(world: World, stored: readonly Stored[]): Promise<void> {
  const deletes: object[] = [];
  for (const collection of ["posts", "people", "members"]) {
    const { documents } = (await done(world, "GET", `/v1/documents/${collection}?limit=1000&select=_id`)).json;
    for (const { _id: id } of documents) deletes.push({ op: "delete", collection, id });
  }
  await done(world, "POST", "/v1/batch", { operations: deletes });
  const creates = stored.map((one) => ({ op: "create", ...one }));
  await done(world, "POST", "/v1/batch", named(world, { operations: creates }));
}

/** Somebody else changes a field, where that is still there. */
async function change(world: World, { collection, id, document }: Stored): Promise<void> {
  world.versions.delete(id);
  const body = { $set: document };
  const { status, text } = await world.send("PATCH", `/v1/documents/${collection}/${id}`, { body });
  if (status !== 200 && status !== 404) throw new Error(text);
}

/** The caller is ME until they are asked for. */
function named({ user }: World, body: unknown): unknown {
  return JSON.parse(JSON.stringify(body ?? null).replaceAll('"ME"', JSON.stringify(user)));
}

async function done(world: TestApp, method: string, path: string, body?: unknown): Promise<Answer> {
  const answer = await world.send(method, path, { body });
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.text}`);
  return answer;
}
