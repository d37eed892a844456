/** People of the benchmarks, who come as an app's do: through a proxy, from many networks. */
import { setTimeout as wait } from "node:timers/promises";
import { runLoad } from "./load.ts";
import { HEADERS } from "./posts.ts";

/** The benchmark is the proxy, so it may say where requests come from. */
export const BEHIND_PROXY = { GALLEY_TRUSTED_PROXIES: "127.0.0.1" };
export const PASSWORD = "plum-orbit-lantern-42";
const JSON_TYPE = { "content-type": "application/json" };

/** Headers of a request from a network of its own for each number: what one network may do is not what is measured. */
export function comesFrom(n: number): Record<string, string> {
  return { ...JSON_TYPE, "x-forwarded-for": `${10 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}.7` };
}

export interface Answered {
  readonly status: number;
  readonly body: string;
}

/** What a sign-in answers, as far as benchmarks need it. */
export interface SignedIn {
  readonly id: string;
  readonly user: { readonly id: string };
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly deviceToken: string;
}

export interface Post {
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

/**
 * Sends `count` requests over some connections, again where the server has too much to do to be told what others changed.
 * @returns their answers in order
 * @throws Error if one has not this status
 */
export async function postAll(
  url: string,
  { count, connections = 16, status: expected }: { count: number; connections?: number; status: number },
  post: (n: number) => Post,
): Promise<string[]> {
  const bodies: string[] = [];
  let left = Array.from({ length: count }, (_, n) => n);
  while (left.length > 0) {
    const numbers = left;
    const again: number[] = [];
    const numberOf = (i: number) => numbers[i] as number;
    const measured = await runLoad({
      ...{ url, connections, seconds: 600, requests: numbers.length },
      request(i) {
        const { path, body, headers = {} } = post(numberOf(i));
        const from = comesFrom(numberOf(i));
        return { method: "POST", path, headers: { ...from, ...headers }, body: JSON.stringify(body ?? {}) };
      },
      check(status, body, i) {
        bodies[numberOf(i)] = body;
        const outOfTouch = status === 503 && body.includes('"outcome":"not_applied"');
        if (outOfTouch) again.push(numberOf(i));
        return status === expected || outOfTouch;
      },
    });
    if (measured.firstWrong !== undefined) throw new Error(`expects ${expected} of each: ${measured.firstWrong}`);
    left = again;
    if (again.length > 0) await wait(AGAIN);
  }
  return bodies;
}

const AGAIN = 200;

/** Signs `count` people up, by the address that their number makes. */
export async function signUpMany(url: string, count: number, email: (n: number) => string): Promise<SignedIn[]> {
  const bodies = await postAll(url, { count, status: 201 }, (n) => ({
    path: "/v1/auth/sign-up",
    body: { email: email(n), password: PASSWORD },
  }));
  return bodies.map((body) => (JSON.parse(body) as { session: SignedIn }).session);
}

/** Changes settings, as an owner does. */
export async function changeSettings(url: string, change: object): Promise<void> {
  const answer = await fetch(`${url}/v1/admin/settings`, {
    method: "PATCH",
    headers: { ...HEADERS, ...JSON_TYPE },
    body: JSON.stringify(change),
  });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`settings were not changed: ${text}`);
}

/** Addresses of the same length that somebody has, and that nobody has. */
export const knownAddress = (n: number) => `known-${String(n).padStart(5, "0")}@example.org`;
export const unknownAddress = (n: number) => `other-${String(n).padStart(5, "0")}@example.org`;
