/** Readers that ask without a pause while a right is taken away: what they are told before and after (promises.md P9). */
import { Agent, request as httpRequest } from "node:http";
import { until } from "./until.ts";

/** One thing that somebody asks again and again. */
export interface Question {
  /** Of the node that is asked. */
  readonly url: string;
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly token?: string;
  /** Statuses that the right gives. */
  readonly before: readonly number[];
  /** Statuses that are right once it is gone. */
  readonly after: readonly number[];
}

export interface HammerReport {
  /** Requests that began after the revoking call was answered and were not told what is right then, in words. */
  readonly breaches: readonly string[];
  /** Requests that were answered by the old right before, and all that began after the answer. */
  readonly before: number;
  readonly after: number;
}

/** Answers of each question that are waited for, before and after. */
const BEFORE = 2;
const AFTER = 6;
/** What a node says that is out of touch with the others: nobody is let through, so nothing is wrong. */
const OUT_OF_TOUCH = 503;

/**
 * Asks every question over and over; takes the right away when each of them has been answered by it, and goes on until
 * each was asked many times more.
 */
export async function hammer(questions: readonly Question[], revoke: () => Promise<void>): Promise<HammerReport> {
  const agent = new Agent({ keepAlive: true });
  const breaches: string[] = [];
  const counts = questions.map(() => ({ before: 0, after: 0 }));
  let revoked = Number.POSITIVE_INFINITY;
  let asking = true;

  async function ask(question: Question, count: { before: number; after: number }): Promise<void> {
    const began = performance.now();
    const status = await statusOf(agent, question);
    const late = began > revoked;
    if (question.before.includes(status) && !late) count.before++;
    if (!late) return;
    if (status !== OUT_OF_TOUCH) count.after++;
    if (status === OUT_OF_TOUCH || question.after.includes(status)) return;
    const since = (began - revoked).toFixed(1);
    breaches.push(`${question.method} ${question.url}${question.path}: ${status}, asked ${since} ms after the answer`);
  }

  const readers = questions.map(async (question, i) => {
    while (asking) await ask(question, counts[i] as (typeof counts)[number]);
  });
  const all = (which: "before" | "after", least: number) => () => counts.every((count) => count[which] >= least);
  try {
    await until(all("before", BEFORE), 30, "an answer to each question by the right that it is about");
    await revoke();
    revoked = performance.now();
    await until(all("after", AFTER), 30, "many answers after the right was gone");
  } finally {
    asking = false;
    await Promise.all(readers);
    agent.destroy();
  }
  const sum = (which: "before" | "after") => counts.reduce((total, count) => total + count[which], 0);
  return { breaches, before: sum("before"), after: sum("after") };
}

function statusOf(agent: Agent, { url, method, path, body, token }: Question): Promise<number> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  if (text !== undefined) headers["content-type"] = "application/json";
  return new Promise((resolve, reject) => {
    const request = httpRequest(url + path, { method, agent, headers }, (reply) => {
      reply.on("error", reject);
      reply.on("end", () => resolve(reply.statusCode ?? 0));
      reply.resume();
    });
    request.on("error", reject);
    request.end(text);
  });
}
