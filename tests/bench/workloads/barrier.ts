import { Connection } from "../harness/connection.ts";
import { onEachEngine } from "../harness/engines.ts";
import { type Latencies, type LoadRequest, spreadOf } from "../harness/load.ts";
import { BEHIND_PROXY, postAll, type SignedIn } from "../harness/people.ts";
import { HEADERS } from "../harness/posts.ts";
import { type Served, serveGalley } from "../harness/process.ts";
import type { BenchOptions, ReportRow, Workload } from "../harness/report.ts";
import { median } from "../harness/rounds.ts";
import { withServers } from "../harness/servers.ts";
import { withTwoNodes } from "../harness/two-nodes.ts";

/**
 * What the barrier costs (access-rules.md 10, promise P9): calls that take a right away, against the same number of writes
 * in one commit that nobody waits for. After each answer the old right is tried, on every node.
 */
export const barrier: Workload = {
  name: "barrier",
  covers: ["P9"],
  async run(options) {
    const { smoke } = options;
    const rows = await onEachEngine(options, ({ name, folder, env }) =>
      withServers(async (serve) => {
        const galley = await serve(serveGalley(folder, { ...env, ...BEHIND_PROXY }));
        return barrierOn(name === "sqlite" ? "SQLite, one node" : "MongoDB, one node", [galley], smoke);
      }),
    );
    return [...rows, ...(await onTwoNodes(options))];
  },
};

function onTwoNodes({ smoke, ...options }: BenchOptions): Promise<ReportRow[]> {
  return withTwoNodes(options, startNode, ({ nodes }) => barrierOn("MongoDB, two nodes", nodes, smoke));
}

const ROUNDS = 5;

/** Something that is timed, `n` by `n`. */
interface Call {
  request(n: number): LoadRequest;
  readonly status: number;
  /** What shows whether the old right still counts after it. */
  readonly after?: (n: number) => string;
}

function startNode(folder: string, env: NodeJS.ProcessEnv): Promise<Served> {
  return serveGalley(folder, { ...env, ...BEHIND_PROXY });
}

async function barrierOn(on: string, nodes: readonly Served[], smoke: boolean): Promise<ReportRow[]> {
  const [first] = nodes as readonly [Served];
  const perRound = smoke ? 5 : 100;
  const count = perRound * (smoke ? 1 : ROUNDS + 1);
  const [leaving, disabled] = [await guests(first.url, count), await guests(first.url, count)];
  const calls: Readonly<Record<string, Call>> = {
    revoke: {
      request: (n) => ({
        method: "DELETE",
        path: `/v1/auth/sessions/${leaving[n]?.id}`,
        headers: bearer(leaving[n]),
      }),
      status: 204,
      after: (n) => leaving[n]?.accessToken ?? "",
    },
    "two writes": { request: (n) => batchOf(2, n), status: 200 },
    disable: {
      request: (n) => ({
        method: "POST",
        path: `/v1/admin/users/${disabled[n]?.user.id}/disable`,
        headers: { ...HEADERS, "content-type": "application/json" },
        body: "{}",
      }),
      status: 200,
      after: (n) => disabled[n]?.accessToken ?? "",
    },
    "three writes": { request: (n) => batchOf(3, n), status: 200 },
  };
  const everywhere = nodes.map(({ url }) => new Connection(url));
  try {
    const taken = await interleaved(everywhere, calls, { perRound, rounds: smoke ? 0 : ROUNDS });
    return [
      row(`P9 end of a session on ${on}`, taken, ["revoke", "two writes"]),
      row(`P9 disabling a user on ${on}`, taken, ["disable", "three writes"]),
    ];
  } finally {
    for (const connection of everywhere) connection.close();
  }
}

/** People who came in a moment ago; they need no password. */
async function guests(url: string, count: number): Promise<SignedIn[]> {
  const bodies = await postAll(url, { count, status: 201 }, () => ({ path: "/v1/auth/anonymous" }));
  return bodies.map((body) => (JSON.parse(body) as { session: SignedIn }).session);
}

function bearer(person: Pick<SignedIn, "accessToken"> | undefined) {
  return { authorization: `Bearer ${person?.accessToken}` };
}

/** As many documents as the call writes records: a session and an audit line; the person too. */
function batchOf(writes: number, n: number): LoadRequest {
  const operations = Array.from({ length: writes }, (_, i) => ({
    op: "create",
    collection: "written",
    document: { _id: `w${writes}-${n}-${i}`, text: "x".repeat(400) },
  }));
  return {
    method: "POST",
    path: "/v1/batch",
    headers: { ...HEADERS, "content-type": "application/json" },
    body: JSON.stringify({ operations }),
  };
}

interface Taken {
  readonly rounds: Latencies[];
  wrong: number;
  /** Old rights that were still believed. */
  believed: number;
}

/** One call at a time, the kinds in turn; each goes to the next node, the first round warms up. */
async function interleaved(
  nodes: readonly Connection[],
  calls: Readonly<Record<string, Call>>,
  { perRound, rounds }: { readonly perRound: number; readonly rounds: number },
): Promise<ReadonlyMap<string, Taken>> {
  const all = new Map(Object.keys(calls).map((kind): [string, Taken] => [kind, { rounds: [], wrong: 0, believed: 0 }]));
  for (let round = 0; round <= rounds; round++) {
    const latencies = new Map(Object.keys(calls).map((kind): [string, number[]] => [kind, []]));
    for (let i = 0; i < perRound; i++) {
      const n = round * perRound + i;
      for (const [kind, call] of Object.entries(calls)) {
        const taken = all.get(kind) as Taken;
        const old = call.after?.(n);
        // Every node holds the person, as it would at work.
        if (old !== undefined) taken.wrong += await refusals(nodes, old);
        const node = nodes[n % nodes.length] as Connection;
        const began = performance.now();
        const { status, body } = await node.send(call.request(n));
        latencies.get(kind)?.push(performance.now() - began);
        if (status !== call.status && taken.wrong++ === 0) console.error(`${kind}: ${status} ${body.slice(0, 300)}`);
        if (old !== undefined) taken.believed += nodes.length - (await refusals(nodes, old));
      }
    }
    if (round > 0 || rounds === 0) for (const [kind, list] of latencies) all.get(kind)?.rounds.push(spreadOf(list));
  }
  return all;
}

/** How many nodes refuse a token. */
async function refusals(nodes: readonly Connection[], accessToken: string): Promise<number> {
  const request = { method: "GET" as const, path: "/v1/auth/me", headers: bearer({ accessToken }) };
  const answers = await Promise.all(nodes.map((node) => node.send(request)));
  return answers.filter(({ status }) => status === 401).length;
}

function row(what: string, all: ReadonlyMap<string, Taken>, [ours, theirs]: readonly [string, string]): ReportRow {
  const { rounds, wrong, believed } = all.get(ours) as Taken;
  const plain = all.get(theirs) as Taken;
  const p = (of: readonly Latencies[], at: "p50" | "p99") => median(of.map((one) => one[at]));
  const told = (of: readonly Latencies[]) => `p50 ${p(of, "p50").toFixed(2)} ms, p99 ${p(of, "p99").toFixed(2)} ms`;
  const medians = rounds.map(({ p50 }) => p50);
  return {
    what,
    ours: told(rounds),
    ceiling: `${theirs} without it ${told(plain.rounds)}`,
    ratio: p(rounds, "p50") / p(plain.rounds, "p50"),
    spread: (Math.max(...medians) - Math.min(...medians)) / median(medians),
    target: "told; old rights believed after it 0",
    met: believed === 0 && wrong + plain.wrong === 0,
    note: `old rights believed ${believed}, wrong ${wrong + plain.wrong}`,
  };
}
