import { setTimeout as wait } from "node:timers/promises";
import { comesFrom, PASSWORD, type SignedIn } from "../harness/people.ts";
import type { ReportRow } from "../harness/report.ts";

const TIMEOUT = 30_000;

/** More sign-ins at one moment than the hash queue takes: each is let in, or told at once when to come again. */
export async function overload(
  url: string,
  on: string,
  people: readonly SignedIn[],
  count: number,
): Promise<ReportRow> {
  const answers = await Promise.all(Array.from({ length: count }, (_, n) => attempt(url, n, n % people.length)));
  const [taken, refused] = [200, 429].map((status) => answers.filter((answer) => answer.status === status));
  const slowest = (some: readonly Answer[] = []) => Math.max(0, ...some.map(({ milliseconds }) => milliseconds));
  const advised = (refused ?? []).filter(({ retryAfter }) => /^[1-9]\d*$/.test(retryAfter ?? ""));
  const wrong = answers.length - (taken?.length ?? 0) - advised.length;
  // Whoever was refused comes again when told to.
  await wait(Math.max(0, ...advised.map(({ retryAfter }) => Number(retryAfter))) * 1000);
  const again = await attempt(url, 0, 0);
  return {
    what: `B12 overload on ${on}, ${count} sign-ins at once`,
    ours: `${taken?.length} let in, slowest ${slowest(taken).toFixed(0)} ms; ${refused?.length} refused with 429`,
    ceiling: "-",
    ratio: wrong + (again.status === 200 ? 0 : 1),
    target: "0 but 200, or 429 with Retry-After",
    met: wrong === 0 && again.status === 200 && advised.length > 0,
    note: `slowest refusal ${slowest(refused).toFixed(0)} ms, after Retry-After ${again.status}, wrong ${wrong}`,
  };
}

interface Answer {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly milliseconds: number;
}

async function attempt(url: string, n: number, person: number): Promise<Answer> {
  const began = performance.now();
  const answer = await fetch(`${url}/v1/auth/sign-in`, {
    method: "POST",
    headers: comesFrom(n),
    body: JSON.stringify({ email: `person-${person}@example.org`, password: PASSWORD }),
    signal: AbortSignal.timeout(TIMEOUT),
  }).catch(() => undefined);
  await answer?.arrayBuffer();
  const milliseconds = performance.now() - began;
  return { status: answer?.status ?? 0, retryAfter: answer?.headers.get("retry-after") ?? null, milliseconds };
}
