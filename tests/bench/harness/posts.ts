/** Brings the benchmarks' documents into a Galley. */
import { Readable } from "node:stream";
import { request } from "undici";
import { until } from "../../support/until.ts";
import { AUTHORS, post, postId } from "./post.ts";
import { BENCH_KEY } from "./process.ts";

export const HEADERS = { authorization: `Bearer ${BENCH_KEY}` };

/** Loads `count` posts by the import route. */
export async function importPosts(url: string, collection: string, count: number, authors = AUTHORS): Promise<void> {
  function* lines(): Generator<string> {
    for (let n = 0; n < count; n++) yield `${JSON.stringify({ _id: postId(n), ...post(n, authors) })}\n`;
  }
  await importLines(url, collection, lines());
}

const CHUNK = 256 * 1024;

/** Sends lines of NDJSON to the import route. @throws Error if one of them is refused */
export async function importLines(url: string, collection: string, lines: Iterable<string>): Promise<void> {
  async function* chunks(): AsyncGenerator<string> {
    let chunk = "";
    for (const line of lines) {
      chunk += line;
      if (chunk.length < CHUNK) continue;
      yield chunk;
      chunk = "";
    }
    if (chunk !== "") yield chunk;
  }
  const { statusCode, body } = await request(`${url}/v1/admin/collections/${collection}/import`, {
    method: "POST",
    headers: { ...HEADERS, "content-type": "application/x-ndjson" },
    body: Readable.from(chunks()),
    bodyTimeout: 0,
    headersTimeout: 0,
  });
  const verdicts = await body.text();
  if (statusCode !== 200 || verdicts.includes('"refused"')) throw new Error(`import failed: ${verdicts.slice(0, 500)}`);
}

/** Declares a collection and waits until its indexes serve. */
export async function declare(url: string, name: string, indexes: readonly object[], schema?: unknown): Promise<void> {
  const answer = await request(`${url}/v1/admin/collections`, {
    method: "POST",
    headers: { ...HEADERS, "content-type": "application/json" },
    body: JSON.stringify({ name, indexes, ...(schema === undefined ? {} : { schema }) }),
  });
  if (answer.statusCode !== 201) throw new Error(await answer.body.text());
  await answer.body.dump();
  await indexesReady(url, name);
}

/** Waits until every index of a collection serves. @throws Error if one has failed */
export function indexesReady(url: string, name: string): Promise<void> {
  return until(async () => {
    const { body } = await request(`${url}/v1/admin/collections/${name}`, { headers: HEADERS });
    const { indexes } = (await body.json()) as { indexes: { state: string }[] };
    if (indexes.some(({ state }) => state === "failed")) throw new Error(`an index of ${name} has failed`);
    return indexes.every(({ state }) => state === "ready");
  }, 300);
}
