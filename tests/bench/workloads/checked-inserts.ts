import { request } from "undici";
import { runLoad } from "../harness/load.ts";
import { post, postId } from "../harness/post.ts";
import { HEADERS } from "../harness/posts.ts";
import type { ReportRow } from "../harness/report.ts";

/** Every so many requests one is refused for what is in it. */
const FAULTY_EVERY = 10;
/** How many of the others share an id: one of them is created, the rest exist already. */
const SHARERS = 3;
const CONNECTIONS = 64;
const PAGE = 1000;

/**
 * Creates that arrive together, with ids taken already and bodies that are refused among them: each gets its own answer,
 * one of each id is created, and what is stored is what that one had sent.
 */
export async function checkedInserts(url: string, what: string, requests: number): Promise<ReportRow> {
  const isFaulty = (n: number) => n % FAULTY_EVERY === 0;
  const idOf = (n: number) => postId(Math.floor(n / SHARERS));
  const answers = new Map<number, { status: number; body: string }>();
  await runLoad({
    url,
    connections: CONNECTIONS,
    seconds: 60,
    requests,
    request: (n) => ({
      method: "POST",
      path: "/v1/documents/checked",
      headers: { ...HEADERS, "content-type": "application/json" },
      body: JSON.stringify({ _id: idOf(n), ...post(n), ...(isFaulty(n) ? { $refused: true } : {}) }),
    }),
    // An answer may overtake another's, so they are judged when all are in.
    check: (status, body, n) => answers.set(n, { status, body }).has(n),
  });
  const created = new Map<string, string>();
  const ids = new Set<string>();
  let wrong = requests - answers.size;
  for (const [n, { status, body }] of answers) {
    if (!isFaulty(n)) ids.add(idOf(n));
    if (status !== (isFaulty(n) ? 400 : 201) && (isFaulty(n) || status !== 409)) wrong++;
    if (status !== 201) continue;
    if (created.has(idOf(n))) wrong++;
    created.set(idOf(n), (JSON.parse(body) as { title: string }).title);
  }
  wrong += ids.size - created.size;
  const stored = await storedTitles(url);
  for (const [id, title] of created) if (stored.get(id) !== title) wrong++;
  wrong += Math.abs(stored.size - created.size);
  return {
    what: `${what}, every item's own answer`,
    ours: `${requests} creates, ${created.size} stored`,
    ceiling: "-",
    ratio: wrong,
    target: "0 wrong",
    met: wrong === 0,
    note: `ids taken and bodies refused among them, wrong ${wrong}`,
  };
}

async function storedTitles(url: string): Promise<Map<string, string>> {
  const titles = new Map<string, string>();
  let after: string | undefined;
  do {
    const query = { sort: ["_id"], limit: PAGE, select: ["title"], ...(after === undefined ? {} : { after }) };
    const { body } = await request(`${url}/v1/documents/checked/query`, {
      method: "POST",
      headers: { ...HEADERS, "content-type": "application/json" },
      body: JSON.stringify(query),
    });
    const page = (await body.json()) as { documents: { _id: string; title: string }[]; next?: string };
    for (const { _id, title } of page.documents) titles.set(_id, title);
    after = page.next;
  } while (after !== undefined);
  return titles;
}
