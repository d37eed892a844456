import { setTimeout as wait } from "node:timers/promises";
import { type Random, seeded } from "../../support/seeded.ts";
import { Connection } from "../harness/connection.ts";
import type { Engine } from "../harness/engines.ts";
import { serveOwnGalley } from "../harness/own-galley.ts";
import { type Pairs, type RowOf, warmUpOf, withAndWithoutLeak } from "../harness/pair-rows.ts";
import {
  type Answered,
  BEHIND_PROXY,
  changeSettings,
  comesFrom,
  knownAddress,
  unknownAddress,
} from "../harness/people.ts";
import type { ReportRow, Workload } from "../harness/report.ts";
import { withServers } from "../harness/servers.ts";

/**
 * T13: how long answers take must not tell whether somebody has an address. Pairs of one that somebody has and one that
 * nobody has, the same request of both, in an order that a coin decides; then the same once more with a leak planted.
 */
export const enumeration: Workload = {
  name: "enumeration",
  covers: ["T13"],
  byNameOnly: true,
  run: (options) => withAndWithoutLeak(options, rowsOn),
};

const SEED = 13;
const OTHER_PASSWORD = "quartz-meadow-harbour-7";

interface Flow {
  readonly name: string;
  readonly path: string;
  readonly status: number;
  /**
   * Milliseconds between requests: what is mailed to somebody is written and sent after the answer, and would make the next
   * answer, whosever it is, now long and now short.
   */
  readonly pause?: number;
  /** @param before the answer of the flow before it to the same address */
  body(address: string, before: string): object;
}

/** Resend goes on where sign-up left off. */
const FLOWS: readonly Flow[] = [
  {
    name: "sign-in",
    path: "/v1/auth/sign-in",
    status: 401,
    body: (email) => ({ email, password: OTHER_PASSWORD }),
  },
  {
    name: "forgot",
    path: "/v1/auth/password/forgot",
    status: 202,
    pause: 40,
    body: (email) => ({ email }),
  },
  {
    name: "sign-up",
    path: "/v1/auth/sign-up",
    status: 202,
    body: (email) => ({ email, password: OTHER_PASSWORD }),
  },
  {
    name: "resend",
    path: "/v1/auth/email/resend",
    status: 202,
    body: (_email, before) => ({
      challenge: (JSON.parse(before) as { next: { challenge: string } }).next.challenge,
    }),
  },
];

interface Measurement {
  readonly pairs: number;
  readonly leak: number;
}

function rowsOn({ name, folder, env }: Engine, { pairs, leak }: Measurement, row: RowOf): Promise<ReportRow[]> {
  return withServers(async (serve) => {
    const warmUp = warmUpOf(pairs);
    const people = { BENCH_PEOPLE: String(pairs + warmUp), BENCH_LEAK_MS: String(leak) };
    const galley = await serve(serveOwnGalley("leaking-galley", folder, { ...env, ...BEHIND_PROXY, ...people }));
    // Each address is asked of three times in all, which the default lets wait a minute in between.
    await changeSettings(galley.url, { signUp: { confirm: "first" }, limits: { account: { mailsPerMinute: 10 } } });
    const connection = new Connection(galley.url);
    const random = seeded(SEED);
    const before = new Map<string, string>();
    const all: Pairs[] = [];
    try {
      for (const flow of FLOWS) all.push(await takePairs(connection, flow, { pairs, warmUp, random, before }));
    } finally {
      connection.close();
    }
    return all.map((taken) => row(taken, name === "sqlite" ? "SQLite" : "MongoDB"));
  });
}

interface Course {
  readonly pairs: number;
  readonly warmUp: number;
  readonly random: Random;
  /** What the flow before answered, by address. */
  readonly before: Map<string, string>;
}

let networks = 0;

async function takePairs(
  connection: Connection,
  flow: Flow,
  { pairs, warmUp, random, before }: Course,
): Promise<Pairs> {
  const differences: number[] = [];
  const times: number[] = [];
  let wrong = 0;
  const timed = async (address: string) => {
    const body = JSON.stringify(flow.body(address, before.get(address) ?? ""));
    const headers = comesFrom(networks++);
    const began = performance.now();
    const answer: Answered = await connection.send({ method: "POST", path: flow.path, headers, body });
    const took = performance.now() - began;
    before.set(address, answer.body);
    if (flow.pause) await wait(flow.pause);
    if (answer.status !== flow.status && wrong++ === 0) console.error(`${flow.name}: ${answer.status} ${answer.body}`);
    return took;
  };
  for (let n = 0; n < pairs + warmUp; n++) {
    const knownFirst = random() < 0.5;
    const first = await timed(knownFirst ? knownAddress(n) : unknownAddress(n));
    const second = await timed(knownFirst ? unknownAddress(n) : knownAddress(n));
    if (n < warmUp) continue;
    differences.push(knownFirst ? first - second : second - first);
    times.push(first, second);
  }
  return { what: `T13 ${flow.name}`, differences, times, wrong };
}
