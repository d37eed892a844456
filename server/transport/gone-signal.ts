import type { FastifyReply } from "fastify";

/**
 * Tells whether the caller hung up before the reply was out, so that no work goes on for nobody. Asked between slices of
 * work; an AbortSignal for each request would cost more than the asking.
 */
export function goneSignal({ raw }: FastifyReply): { readonly aborted: boolean } {
  return {
    get aborted() {
      return raw.destroyed && !raw.writableFinished;
    },
  };
}
