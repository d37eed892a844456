import type { FastifyRequest } from "fastify";
import { announcesBody } from "./json-body.ts";

/** How long a client may go on sending a body after its reply has begun, so that it gets to read why. */
const LINGER_MS = 5000;

/**
 * For replies that leave before the body was read whole. Node reads and drops the rest without an end to it, so a client
 * could send for ever; cutting the connection at once would reset it before the client has read the reply.
 */
export function endAfterLinger({ raw, headers }: FastifyRequest): void {
  if (raw.complete || !announcesBody(headers)) return;
  const timer = setTimeout(() => raw.socket.destroy(), LINGER_MS);
  timer.unref();
  raw.once("close", () => clearTimeout(timer));
}
