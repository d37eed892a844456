import type { ServerResponse } from "node:http";
import type { FastifyReply } from "fastify";

/**
 * Tells whether the caller hung up before the reply was out, so that no work goes on for nobody. Asked between slices of
 * work; an AbortSignal for each request would cost more than the asking.
 */
export function goneSignal({ raw }: FastifyReply): { readonly aborted: boolean } {
  return new GoneSignal(raw);
}

/** A class, since an object with a getter of its own costs as much as the rest of a small request's parsing. */
class GoneSignal {
  readonly #raw: ServerResponse;

  constructor(raw: ServerResponse) {
    this.#raw = raw;
  }

  get aborted(): boolean {
    return this.#raw.destroyed && !this.#raw.writableFinished;
  }
}
