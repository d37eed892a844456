import { request } from "undici";
import { COLLECTIONS } from "../../../docs/examples/atlas/collections.ts";
import { cityDocument, sourceCities } from "../../../docs/examples/atlas/source.ts";
import { type Engine, onEachEngine } from "../harness/engines.ts";
import { type Latencies, type Measured, runLoad } from "../harness/load.ts";
import { declare, HEADERS, importLines, indexesReady } from "../harness/posts.ts";
import { cpuSeconds, serveGalley } from "../harness/process.ts";
import type { ReportRow, Workload } from "../harness/report.ts";
import { withServers } from "../harness/servers.ts";

/** The cities of the atlas example: their import, and an index on them that is built while 64 writers go on. */
export const importCities: Workload = {
  name: "import",
  covers: ["import", "index"],
  run: (options) => onEachEngine(options, (engine) => importOn(engine, options.smoke)),
};

const MOST_SECONDS = 30;
const WRITERS = 64;
const JSON_HEADERS = { ...HEADERS, "content-type": "application/json" };
const ADDED = { paths: ["admin1", "-lng"] };

async function importOn({ name, folder, env }: Engine, smoke: boolean): Promise<ReportRow[]> {
  const on = name === "sqlite" ? "SQLite" : "MongoDB";
  const cities = sourceCities()
    .slice(0, smoke ? 2000 : undefined)
    .map(cityDocument);
  // The same city may be listed twice; it is one document.
  const ids = [...new Set(cities.map(({ _id }) => _id))];
  const lines = cities.map((city) => `${JSON.stringify(city)}\n`);
  const declared = COLLECTIONS.find((collection) => collection.name === "cities");
  if (!declared) throw new Error("the atlas example declares no cities");
  return withServers(async (serve) => {
    const galley = await serve(serveGalley(folder, env));
    await declare(galley.url, "cities", declared.indexes, declared.schema);
    const cpu = cpuSeconds(galley.pid);
    const began = performance.now();
    await importLines(galley.url, "cities", lines);
    const seconds = (performance.now() - began) / 1000;
    const imported = importRow(on, lines.length, seconds, cpuSeconds(galley.pid) - cpu);
    const wrong = ids.length - (await countOf(galley.url));
    const built = await buildUnderWrites(galley.url, ids, [...declared.indexes, ADDED], smoke);
    return [
      { ...imported, met: imported.met && wrong === 0, note: `${imported.note}, wrong ${wrong}` },
      row(on, built),
    ];
  });
}

function importRow(on: string, count: number, seconds: number, cpu: number): ReportRow {
  return {
    what: `import of ${count} cities on ${on}`,
    ours: `${seconds.toFixed(1)} s`,
    ceiling: "-",
    ratio: seconds,
    target: `< ${MOST_SECONDS} s`,
    met: seconds < MOST_SECONDS,
    note: `${cpu.toFixed(1)} CPU-s of the server, with a schema and two indexes`,
  };
}

interface Built {
  /** Milliseconds from the request for the index until it serves. */
  readonly took: number;
  readonly before: Measured;
  readonly during: Measured;
}

/** Writers change a field of the new index, before it is asked for and until it serves. */
async function buildUnderWrites(
  url: string,
  ids: readonly string[],
  indexes: readonly object[],
  smoke: boolean,
): Promise<Built> {
  let turn = 0;
  const writers = (seconds: number, enough: () => boolean) =>
    runLoad({
      url,
      connections: WRITERS,
      seconds,
      enough,
      request: () => ({
        method: "PATCH",
        path: `/v1/documents/cities/${ids[(turn++ * 48_271) % ids.length]}`,
        headers: JSON_HEADERS,
        body: `{"$inc":{"lng":1e-7}}`,
      }),
      check: (status) => status === 200,
    });
  const [warmUp, long] = smoke ? [0.05, 0.1] : [2, 5];
  await writers(warmUp, () => false);
  const before = await writers(long, () => false);
  let ready = false;
  const loading = writers(300, () => ready);
  const began = performance.now();
  try {
    await changeIndexes(url, indexes);
  } finally {
    ready = true;
  }
  const took = performance.now() - began;
  return { took, before, during: await loading };
}

async function changeIndexes(url: string, indexes: readonly object[]): Promise<void> {
  const { statusCode, body } = await request(`${url}/v1/admin/collections/cities`, {
    method: "PATCH",
    headers: JSON_HEADERS,
    body: JSON.stringify({ indexes }),
    headersTimeout: 0,
  });
  const answer = await body.text();
  if (statusCode !== 200) throw new Error(`the index was refused: ${answer}`);
  await indexesReady(url, "cities");
}

async function countOf(url: string): Promise<number> {
  const { body } = await request(`${url}/v1/admin/collections/cities`, { headers: HEADERS });
  return ((await body.json()) as { documents: number }).documents;
}

function row(on: string, { took, before, during }: Built): ReportRow {
  const wrong = before.wrong + during.wrong;
  for (const { firstWrong } of [before, during]) if (firstWrong !== undefined) console.error(firstWrong);
  return {
    what: `index on them, ${WRITERS} writers, on ${on}`,
    ours: `built in ${took.toFixed(0)} ms, ${tell(during)}`,
    ceiling: `without, ${tell(before)}`,
    ratio: during.slowest / took,
    target: "slowest <= without + half of the build",
    met: during.slowest <= before.slowest + took / 2 && wrong === 0,
    note: `${during.requests} writes meanwhile, wrong ${wrong}`,
    figures: { before: figures(before), during: figures(during) },
  };
}

function tell({ p50, p99, slowest }: Latencies): string {
  return `p50 ${p50.toFixed(1)}, p99 ${p99.toFixed(1)}, slowest ${slowest.toFixed(0)} ms`;
}

function figures({ p50, p95, p99, slowest, requests, seconds }: Measured): Record<string, number> {
  return { p50, p95, p99, slowest, perSecond: requests / seconds };
}
