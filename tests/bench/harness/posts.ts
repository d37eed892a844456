/** The documents that the benchmarks store: about 0.7 KB each, made from their number alone. */
import { request } from "undici";
import { BENCH_KEY } from "./process.ts";

export const HEADERS = { authorization: `Bearer ${BENCH_KEY}` };

const FILLER =
  "Content and media go out in pieces, news is pushed to those who asked for it, and what people keep here must still be here tomorrow. ";

export interface Post {
  readonly author: string;
  readonly createdAt: { readonly $date: string };
  readonly title: string;
  readonly status: string;
  readonly likes: number;
  readonly tags: readonly string[];
  readonly body: string;
}

export const postId = (n: number) => `post-${String(n).padStart(8, "0")}`;

/** One post of 1,000 authors' `n`-th, created one second after the last. */
export function post(n: number): Post {
  return {
    author: `author-${n % 1000}`,
    createdAt: { $date: new Date(Date.UTC(2026, 0, 1) + n * 1000).toISOString() },
    title: `Post number ${n}`,
    status: n % 3 === 0 ? "draft" : "published",
    likes: (n * 7919) % 1000,
    tags: [`tag-${n % 17}`, `tag-${n % 23}`],
    body: FILLER.repeat(3),
  };
}

/** Loads `count` posts by the import route. */
export async function importPosts(url: string, collection: string, count: number): Promise<void> {
  async function* lines(): AsyncGenerator<string> {
    let chunk = "";
    for (let n = 0; n < count; n++) {
      chunk += `${JSON.stringify({ _id: postId(n), ...post(n) })}\n`;
      if (chunk.length < 256 * 1024) continue;
      yield chunk;
      chunk = "";
    }
    yield chunk;
  }
  const { statusCode, body } = await request(`${url}/v1/admin/collections/${collection}/import`, {
    method: "POST",
    headers: { ...HEADERS, "content-type": "application/x-ndjson" },
    body: lines() as never,
    bodyTimeout: 0,
    headersTimeout: 0,
  });
  const verdicts = await body.text();
  if (statusCode !== 200 || verdicts.includes('"refused"')) throw new Error(`import failed: ${verdicts.slice(0, 500)}`);
}

/** Declares a collection and waits until its indexes serve. */
export async function declare(url: string, name: string, indexes: readonly object[]): Promise<void> {
  const answer = await request(`${url}/v1/admin/collections`, {
    method: "POST",
    headers: { ...HEADERS, "content-type": "application/json" },
    body: JSON.stringify({ name, indexes }),
  });
  if (answer.statusCode !== 201) throw new Error(await answer.body.text());
  await answer.body.dump();
  for (;;) {
    const { body } = await request(`${url}/v1/admin/collections/${name}`, { headers: HEADERS });
    const info = (await body.json()) as { indexes: { state: string }[] };
    if (info.indexes.every((index) => index.state === "ready")) return;
  }
}
