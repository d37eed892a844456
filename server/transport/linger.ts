import type { FastifyReply } from "fastify";
import { announcesBody } from "./json-body.ts";

/**
 * For replies that leave before the body was read whole. Cutting the connection then would reset it before the client has
 * read the reply, so Node goes on reading, and drops what comes; but not for ever.
 */
export function endAfterLinger({ request: { raw, headers }, raw: response }: FastifyReply, ms: number): void {
  if (raw.complete || !announcesBody(headers)) return;
  const { socket } = raw;
  // A request that is put in by the program itself comes by no connection.
  if (typeof socket.destroySoon !== "function") return;
  const keep = response.shouldKeepAlive;
  response.shouldKeepAlive = true;
  const timer = setTimeout(() => socket.destroy(), ms);
  timer.unref();
  raw.once("close", () => {
    clearTimeout(timer);
    if (!keep) socket.destroySoon();
  });
}
