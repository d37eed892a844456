import type { IncomingMessage } from "node:http";
import { isLoopback } from "../config.ts";

/** What proxies and tunnels add. */
const FORWARDED = ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"];

/**
 * Whether a request was made on this machine: by the socket's peer, unless a proxy or a tunnel says that it hands on what
 * came from elsewhere; and by a name of this machine, so that a web page whose own name leads here counts for nothing.
 */
export function isFromThisMachine({ socket, headers }: IncomingMessage): boolean {
  const peer = (socket.remoteAddress ?? "").replace(/^::ffff:/, "");
  if (!isLoopback(peer) || FORWARDED.some((name) => headers[name] !== undefined)) return false;
  const name = (headers.host ?? "").replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
  return isLoopback(name) || name.endsWith(".localhost");
}
