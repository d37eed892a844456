import { type Random, seeded } from "../../support/seeded.ts";
import { Connection } from "../harness/connection.ts";
import type { Engine } from "../harness/engines.ts";
import type { LoadRequest } from "../harness/load.ts";
import { serveOwnGalley } from "../harness/own-galley.ts";
import { type Pairs, type RowOf, warmUpOf, withAndWithoutLeak } from "../harness/pair-rows.ts";
import { BEHIND_PROXY, comesFrom, signUpMany } from "../harness/people.ts";
import { declare, HEADERS, importLines } from "../harness/posts.ts";
import type { ReportRow, Workload } from "../harness/report.ts";
import { withServers } from "../harness/servers.ts";

/**
 * R16 by T13: how long answers take must not tell whether a document is there that its asker may not see. Pairs of a note
 * that is somebody else's and of one that nobody has, in an order that a coin decides; then once more with a leak planted.
 */
export const hidden: Workload = {
  name: "hidden",
  covers: ["R16"],
  byNameOnly: true,
  run: (options) => withAndWithoutLeak(options, rowsOn),
};

const SEED = 16;
/** The asker's own notes, so that lists have something to find. */
const OWN_NOTES = 100;
const OWN = { ownerId: "$auth.id" };
const RULES = {
  format: 1,
  collections: { notes: { list: OWN, get: OWN, update: OWN, delete: OWN, fields: { memo: { read: { open: true } } } } },
};

const hiddenNote = (n: number) => `note-${String(n).padStart(5, "0")}`;
const noNote = (n: number) => `none-${String(n).padStart(5, "0")}`;

interface Door {
  readonly name: string;
  readonly status: number;
  /** @param id of the note; its slug is the same text */
  request(id: string): Omit<LoadRequest, "headers">;
}

const filterOf = (id: string) => encodeURIComponent(JSON.stringify({ slug: id }));

const DOORS: readonly Door[] = [
  { name: "GET", status: 404, request: (id) => ({ method: "GET", path: `/v1/documents/notes/${id}` }) },
  {
    name: "PATCH",
    status: 404,
    request: (id) => ({ method: "PATCH", path: `/v1/documents/notes/${id}`, body: '{"text":"x"}' }),
  },
  { name: "DELETE", status: 404, request: (id) => ({ method: "DELETE", path: `/v1/documents/notes/${id}` }) },
  {
    name: "batch check",
    status: 404,
    request: (id) => ({
      ...{ method: "POST", path: "/v1/batch" },
      body: JSON.stringify({ operations: [{ op: "check", collection: "notes", id, ifVersion: 1 }] }),
    }),
  },
  {
    name: "list by a value",
    status: 200,
    request: (id) => ({ method: "GET", path: `/v1/documents/notes?filter=${filterOf(id)}` }),
  },
  {
    name: "count by a value",
    status: 200,
    request: (id) => ({
      ...{ method: "POST", path: "/v1/documents/notes/count" },
      body: JSON.stringify({ filter: { slug: id } }),
    }),
  },
  {
    name: "question about a hidden field",
    status: 403,
    request: (id) => ({
      ...{ method: "POST", path: "/v1/documents/notes/query" },
      body: JSON.stringify({ filter: { memo: id } }),
    }),
  },
];

interface Measurement {
  readonly pairs: number;
  readonly leak: number;
}

function rowsOn({ name, folder, env }: Engine, { pairs, leak }: Measurement, row: RowOf): Promise<ReportRow[]> {
  return withServers(async (serve) => {
    const leaking = { BENCH_LEAK_MS: String(leak) };
    const galley = await serve(serveOwnGalley("leaking-documents", folder, { ...env, ...BEHIND_PROXY, ...leaking }));
    const [asker] = await signUpMany(galley.url, 1, () => "asker@example.org");
    if (!asker) throw new Error("nobody signed up");
    await declare(galley.url, "notes", [{ paths: ["slug"] }]);
    const count = pairs + warmUpOf(pairs);
    await importLines(galley.url, "notes", notes(asker.user.id, count));
    await publish(galley.url);
    const connection = new Connection(galley.url);
    const random = seeded(SEED);
    const all: Pairs[] = [];
    try {
      for (const door of leak > 0 ? DOORS.filter(({ status }) => status !== 403) : DOORS) {
        all.push(await takePairs(connection, door, { pairs, random, token: asker.accessToken }));
      }
    } finally {
      connection.close();
    }
    return all.map((taken) => row(taken, name === "sqlite" ? "SQLite" : "MongoDB"));
  });
}

function* notes(asker: string, count: number): Generator<string> {
  const note = (id: string, ownerId: string) =>
    `${JSON.stringify({ _id: id, slug: id, memo: id, ownerId, text: "what stands here is nobody else's".repeat(10) })}\n`;
  for (let n = 0; n < OWN_NOTES; n++) yield note(`mine-${String(n).padStart(5, "0")}`, asker);
  for (let n = 0; n < count; n++) yield note(hiddenNote(n), "somebody-else");
}

async function publish(url: string): Promise<void> {
  const answer = await fetch(`${url}/v1/admin/rules/publish`, {
    method: "POST",
    headers: { ...HEADERS, "content-type": "application/json" },
    body: JSON.stringify({ rules: RULES, ifVersion: 0, acknowledge: ["owner_not_scalar", "unindexed_rule"] }),
  });
  if (answer.status !== 200) throw new Error(await answer.text());
}

interface Course {
  readonly pairs: number;
  readonly random: Random;
  readonly token: string;
}

async function takePairs(connection: Connection, door: Door, { pairs, random, token }: Course): Promise<Pairs> {
  const differences: number[] = [];
  const times: number[] = [];
  let wrong = 0;
  const timed = async (id: string) => {
    const headers = { ...comesFrom(0), authorization: `Bearer ${token}` };
    const began = performance.now();
    const { status, body } = await connection.send({ ...door.request(id), headers });
    const took = performance.now() - began;
    const right = status === door.status && !body.includes("somebody-else");
    if (!right && wrong++ === 0) console.error(`${door.name}: ${status} ${body}`);
    return took;
  };
  const warmUp = warmUpOf(pairs);
  for (let n = 0; n < pairs + warmUp; n++) {
    const hiddenFirst = random() < 0.5;
    const first = await timed(hiddenFirst ? hiddenNote(n) : noNote(n));
    const second = await timed(hiddenFirst ? noNote(n) : hiddenNote(n));
    if (n < warmUp) continue;
    differences.push(hiddenFirst ? first - second : second - first);
    times.push(first, second);
  }
  return { what: `R16 ${door.name}`, differences, times, wrong };
}
