import { once } from "node:events";
import { Socket } from "node:net";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Hint } from "./denials.ts";
import type { Failures } from "./failures.ts";
import type { LoadLimits } from "./load.ts";
import type { Replies } from "./reply.ts";

export interface RouteTools {
  readonly replies: Replies;
  readonly failures: Failures;
  readonly load: LoadLimits;
  /** What the server has noticed since its start that whoever runs it should know; grows. */
  readonly warnings: readonly string[];
  readonly hint: Hint;
}

export interface LineReply {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly lines: AsyncIterable<string>;
  readonly type: string;
  /** Whether an error after the head becomes a last line; else it cuts the connection. */
  readonly errorLine: boolean;
}

/** Lines are sent together up to this many characters: a write for each would cost more than the line. */
const CHUNK = 64 * 1024;

/**
 * Streams lines at the reader's pace. What fails before the first line is an ordinary error reply. Lines that wait are
 * sent as soon as their source pauses, because a client may wait for them before it goes on.
 */
export async function sendLines(
  { replies, failures, load }: Omit<RouteTools, "warnings" | "hint">,
  options: LineReply,
): Promise<void> {
  const { request, reply, lines, type, errorLine } = options;
  const { raw } = reply;
  // Node ends a connection on which nothing moved for so long; with the reply it goes back to its keep-alive time.
  if (raw.socket instanceof Socket) raw.socket.setTimeout(load.stallMs);
  const source = lines[Symbol.asyncIterator]();
  let next = await source.next();
  replies.head(reply, 200, ["content-type", `${type}; charset=utf-8`]);
  let held = "";
  let scheduled: NodeJS.Immediate | undefined;
  const flush = (): boolean => {
    scheduled = undefined;
    const chunk = held;
    held = "";
    return chunk === "" || raw.write(chunk);
  };
  try {
    while (!next.done && !raw.destroyed && request.method !== "HEAD") {
      held += `${next.value}\n`;
      if (held.length < CHUNK) scheduled ??= setImmediate(flush);
      else if (!flush()) await drained(raw);
      next = await source.next();
    }
    if (!next.done) await source.return?.();
  } catch (error) {
    const envelope = failures.late(reply, error);
    if (!errorLine) {
      raw.destroy();
      return;
    }
    held += `${envelope}\n`;
  } finally {
    clearImmediate(scheduled);
  }
  flush();
  raw.end();
}

/** Resolves when the reader has caught up, or has gone. */
async function drained(raw: FastifyReply["raw"]): Promise<void> {
  const settled = new AbortController();
  const { signal } = settled;
  await Promise.race([once(raw, "drain", { signal }), once(raw, "close", { signal })]).catch(() => {});
  settled.abort();
}
