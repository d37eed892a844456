import type { FastifyReply } from "fastify";

/** Aborts when the caller hangs up before the reply is out, so that no work goes on for nobody. */
export function goneSignal({ raw }: FastifyReply): AbortSignal {
  const controller = new AbortController();
  raw.once("close", () => {
    if (!raw.writableFinished) controller.abort();
  });
  return controller.signal;
}
