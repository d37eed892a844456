import { GalleyError } from "#protocol/errors";
import type { Replies } from "../reply.ts";
import type { Call, Route } from "../route.ts";
import { object } from "../schema.ts";

const FRESH_MS = 1000;
const STATUS = object({ status: { type: "string" } }, ["status"]);

/** Whether the process is up, and whether its store answers. Both tell nothing else, and cost no store call each. */
export function healthRoutes(replies: Replies, ping: () => Promise<void>, clock: () => number): Route[] {
  let asked = Number.NEGATIVE_INFINITY;
  let answer: Promise<void> = Promise.resolve();
  const ready = () => {
    const now = clock();
    // A clock that was set back must not keep an old answer alive.
    if (now - asked >= FRESH_MS || now < asked) {
      asked = now;
      answer = ping();
    }
    return answer;
  };
  const shared = { method: "GET", tag: "Health", open: true, cache: "no-store", authorize: () => undefined } as const;
  return [
    {
      ...shared,
      path: "/v1/health",
      summary: "The process is up",
      replies: { 200: { description: "It is", schema: STATUS } },
      errors: [],
      answer: ({ reply }: Call<undefined>) => replies.json(reply, 200, '{"status":"ok"}'),
    },
    {
      ...shared,
      path: "/v1/ready",
      summary: "The store answers; looked up at most once a second",
      replies: { 200: { description: "It does", schema: STATUS } },
      errors: ["unavailable"],
      async answer({ reply }: Call<undefined>) {
        await ready().catch((cause: unknown) => {
          throw new GalleyError("unavailable", "the store does not answer", {}, cause);
        });
        replies.json(reply, 200, '{"status":"ready"}');
      },
    },
  ];
}
