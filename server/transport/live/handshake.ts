import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { GalleyError } from "#protocol/errors";

export const LIVE_PATH = "/v1/live";
export const SUBPROTOCOL = "galley.v1";

/** A service key, or an access token: what must not stand where logs and proxies see it. */
const CREDENTIAL = /gsk_[A-Za-z0-9_]{16,}|ey[\w-]{8,}\.ey[\w-]{8,}\.[\w-]{16,}/;

export interface HandshakeRules {
  /** Whether pages of an origin may connect. */
  readonly allowsOrigin: (origin: string) => boolean;
  /** Names by which this server is reached, beside addresses and names without a dot. */
  readonly hosts: () => ReadonlySet<string>;
}

/**
 * Demands of an upgrade what http-api.md demands of a request; live-queries.md 7 "At the handshake". Who it is for is told
 * by the first frame: a URL would show it to logs, and a cookie signs nobody in.
 *
 * @throws GalleyError `not_found`, `invalid_argument`, `permission_denied` (`origin_refused`)
 */
export function demandHandshake({ method, url = "", headers }: IncomingMessage, rules: HandshakeRules): void {
  if (!url.startsWith(LIVE_PATH)) {
    if (url.startsWith("/")) throw new GalleyError("not_found", `there is no such socket: it is ${LIVE_PATH}`);
    throw invalid(`expects the path ${LIVE_PATH}, not a whole URL`);
  }
  if (url !== LIVE_PATH) {
    throw invalid(`${LIVE_PATH} takes no path below it and no parameters: a token travels in the frame "hello"`);
  }
  if (method !== "GET") throw invalid("a WebSocket is opened with GET");
  demandHost(headers.host, rules.hosts());
  const { origin } = headers;
  if (origin !== undefined && !rules.allowsOrigin(origin)) {
    throw new GalleyError("permission_denied", "pages of this origin may not connect: see GALLEY_ALLOWED_ORIGINS", {
      reason: "origin_refused",
    });
  }
  demandProtocol(headers["sec-websocket-protocol"]);
}

function demandProtocol(offered: string | undefined): void {
  if (offered === undefined) return;
  if (CREDENTIAL.test(offered)) throw invalid("a token came as a subprotocol: send it in the frame `hello`");
  const names = offered.split(",").map((name) => name.trim());
  if (!names.includes(SUBPROTOCOL)) throw invalid(`expects the subprotocol ${SUBPROTOCOL}, or none`);
}

/**
 * A page that rebinds its own name to this address has a name with a dot, which is not ours. Addresses, and names of one
 * part as networks of containers have them, cannot be had by anyone outside.
 */
function demandHost(host: string | undefined, own: ReadonlySet<string>): void {
  if (host === undefined) throw invalid("HTTP/1.1 needs a host header");
  const name = (host.startsWith("[") ? host.slice(1, host.indexOf("]")) : host.replace(/:\d*$/, "")).toLowerCase();
  if (isIP(name) !== 0 || /^[a-z0-9_-]+$/.test(name) || own.has(name)) return;
  throw invalid("the host header names another server: is GALLEY_PUBLIC_URL what clients connect to?");
}

function invalid(message: string): GalleyError {
  return new GalleyError("invalid_argument", message);
}
