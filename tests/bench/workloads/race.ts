import { setTimeout as wait } from "node:timers/promises";
import { until } from "../../support/until.ts";
import { Connection } from "../harness/connection.ts";
import { onEachEngine } from "../harness/engines.ts";
import { openOutbox } from "../harness/outbox.ts";
import { serveOwnGalley } from "../harness/own-galley.ts";
import { type Answered, BEHIND_PROXY, changeSettings, PASSWORD } from "../harness/people.ts";
import { HEADERS } from "../harness/posts.ts";
import type { Served } from "../harness/process.ts";
import type { ReportRow, Workload } from "../harness/report.ts";
import { withServers } from "../harness/servers.ts";
import { type TwoNodes, withTwoNodes } from "../harness/two-nodes.ts";
import { type Course, KINDS, type Kind, requestOf, type Shot } from "./race-kinds.ts";

/** T4: of twenty who use one secret at once, one gets through; on one process and on two. */
export const race: Workload = {
  name: "race",
  covers: ["T4"],
  byNameOnly: true,
  async run(options) {
    const size = options.smoke ? SMOKE : FULL;
    const rows: ReportRow[] = [];
    for (const run of [raceAll, raceSetUp]) {
      rows.push(
        ...(await onEachEngine(options, ({ name, folder, env }) =>
          withServers(async (serve) => {
            const one = { nodes: [await serve(start(folder, env))], folders: [folder] };
            return run(name === "sqlite" ? "SQLite" : "MongoDB", one, size);
          }),
        )),
        ...(await withTwoNodes(options, start, (two) => run("two on MongoDB", two, size))),
      );
    }
    if (!options.smoke) failOnBreach(rows);
    return rows;
  },
};

interface Size {
  readonly rounds: number;
  readonly atOnce: number;
}

const FULL: Size = { rounds: 200, atOnce: 20 };
const SMOKE: Size = { rounds: 1, atOnce: 4 };

function start(folder: string, env: NodeJS.ProcessEnv): Promise<Served> {
  return serveOwnGalley("racing-galley", folder, { ...env, ...BEHIND_PROXY });
}

/** All kinds at the same time: they take turns at the hash queue, and wait for mails and commits side by side. */
async function raceAll(on: string, { nodes, folders }: TwoNodes, size: Size): Promise<ReportRow[]> {
  const outbox = openOutbox(folders);
  const rows: ReportRow[] = [];
  for (const confirm of ["later", "first"] as const) {
    await changeSettings((nodes[0] as Served).url, { signUp: { confirm }, limits: LIMITS });
    await untilEverywhere(nodes, confirm);
    const kinds = KINDS.filter((kind) => kind.confirm === confirm);
    rows.push(...(await Promise.all(kinds.map((kind) => raceKind(on, kind, { nodes, outbox, ...size })))));
  }
  return rows;
}

/** A person of a round asks for two mails at once, which is one too many by default. */
const LIMITS = { account: { mailsPerMinute: 10 } };

/** Settings reach the other nodes a moment later. */
async function untilEverywhere(nodes: readonly Served[], confirm: string): Promise<void> {
  for (const { url } of nodes) {
    await until(async () => {
      const answer = await fetch(`${url}/v1/admin/settings`, { headers: HEADERS });
      return ((await answer.json()) as { signUp: { confirm: string } }).signUp.confirm === confirm;
    });
  }
}

/** The first owner, again and again. */
async function raceSetUp(on: string, { nodes }: TwoNodes, size: Size): Promise<ReportRow[]> {
  const [first] = nodes as readonly [Served];
  let invite: string | undefined;
  const kind: Kind = {
    name: "set-up link",
    confirm: "later",
    async arm(_course, round) {
      const before = invite;
      const latest = () => [...first.said().matchAll(/set-up link \S+code=(\S+) \n/g)].at(-1)?.[1];
      process.kill(first.pid, "SIGUSR2");
      await until(() => latest() !== before, 60, "a new set-up link");
      invite = latest();
      const body = { as: "admin", email: `owner-${round}@example.org`, password: PASSWORD, invite };
      return { path: "/v1/auth/sign-up", body: () => body };
    },
    won: ({ status }, i) => (status === 201 ? `${i}` : undefined),
  };
  return [await raceKind(on, kind, { nodes, outbox: openOutbox([]), ...size })];
}

interface Race extends Pick<Course, "outbox">, Size {
  readonly nodes: readonly Served[];
}

async function raceKind(on: string, kind: Kind, { nodes, outbox, rounds, atOnce }: Race): Promise<ReportRow> {
  const connections = Array.from({ length: atOnce }, (_, i) => new Connection((nodes[i % nodes.length] as Served).url));
  const course = courseOf(connections[0] as Connection, outbox);
  const tally = new Map<string, number>();
  const breaches: string[] = [];
  try {
    for (let round = 0; round < rounds; round++) {
      const shot = await kind.arm(course, round);
      const answers = await Promise.all(connections.map((connection, i) => fire(connection, shot, i, tally)));
      const won = new Set(answers.map(kind.won).filter((prize) => prize !== undefined));
      if (won.size !== 1)
        breaches.push(`round ${round}: ${won.size} of ${kind.name} won: ${answers.map(codeOf).join(", ")}`);
    }
  } finally {
    for (const connection of connections) connection.close();
  }
  for (const breach of breaches) console.error(`${on}, ${breach}`);
  const codes = [...tally].sort().map(([code, count]) => `${count} ${code}`);
  return {
    what: `T4 ${kind.name}, ${on}`,
    ours: `${rounds} rounds of ${atOnce}, ${rounds - breaches.length} with one winner`,
    ceiling: "-",
    ratio: breaches.length,
    target: "0 breaches",
    met: breaches.length === 0,
    note: `answers: ${codes.join(", ")}; wrong ${breaches.length}`,
  };
}

/** Whoever is told that there is no room, or that the database could not be asked, comes again until it is judged. */
async function fire(connection: Connection, shot: Shot, i: number, tally: Map<string, number>): Promise<Answered> {
  for (;;) {
    const answer = await connection.send(requestOf(shot, i));
    const code = codeOf(answer);
    tally.set(code, (tally.get(code) ?? 0) + 1);
    if (!COME_AGAIN.has(code)) return answer;
    await wait(AGAIN);
  }
}

/** Of the hash queue alone: other limits are not to be waited for. */
const NO_ROOM = "429 no room for a hash";
/** Only where nothing was done: of what may have been, another try proves nothing. */
const NOT_ASKED = "503 not applied";
const COME_AGAIN: ReadonlySet<string> = new Set([NO_ROOM, NOT_ASKED]);
const AGAIN = 10;

interface Refusal {
  readonly error: { readonly code: string; readonly details?: { readonly reason?: string; readonly outcome?: string } };
}

function codeOf({ status, body }: Answered): string {
  if (status < 300) return `${status}`;
  const { code, details } = (JSON.parse(body) as Refusal).error;
  if (status === 503 && details?.outcome === "not_applied") return NOT_ASKED;
  if (status === 429 && body.includes("too many passwords are being checked")) return NO_ROOM;
  return `${status} ${details?.reason ?? code}`;
}

function courseOf(connection: Connection, outbox: Course["outbox"]): Course {
  return {
    outbox,
    async post(path, expected, body, headers = {}) {
      for (;;) {
        const shot: Shot = { path, body: () => body, headers };
        const answer = await connection.send(requestOf(shot, 0));
        if (answer.status === expected) return answer.body;
        if (!COME_AGAIN.has(codeOf(answer)))
          throw new Error(`${path}: expects ${expected}, got ${answer.status} ${answer.body}`);
        await wait(AGAIN);
      }
    },
  };
}

function failOnBreach(rows: readonly ReportRow[]): void {
  if (rows.some(({ met }) => !met)) process.exitCode = 1;
}
