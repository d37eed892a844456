import type { IncomingMessage } from "node:http";

/** Of a host: what its requests need that is the same for all. */
interface Host {
  readonly request: typeof import("node:http").request;
  readonly options: { readonly hostname: string; readonly port: string };
}

/** As `fetch` says it, which is what session lists show. */
const USER_AGENT = "node";
/** Of an app that talks to ever new hosts; most talk to one. */
const MOST_HOSTS = 100;
/** Node's own, as it was when the SDK was loaded. */
const { fetch: ownFetch } = globalThis;
/** Or a program's, which had replaced it by then: Node's own is known by what it loads. */
const WAS_REPLACED = ownFetch !== undefined && !`${ownFetch}`.includes("internal/deps/undici");
/** Where Node's own `fetch` looks for what sends its requests. */
const DISPATCHER = Symbol.for("undici.globalDispatcher.1");
/** Printable ASCII, as requests hold it. */
const SENDABLE = /^[!-~]*$/;

const hosts = new Map<string, Host>();

/**
 * `fetch` as far as the SDK needs it, by `node:http` and its global agents, at about three quarters of the time
 * (docs/decisions/0044-node-sends-by-its-own-client.md). Where an app has put something in `fetch`'s way, a stand-in for its tests
 * or a proxy, that is asked.
 */
export const nodeFetch: typeof fetch = async (input, init = {}) => {
  if (isReplaced()) return fetch(input, init);
  const { signal } = init;
  signal?.throwIfAborted();
  return new Promise<Response>((resolve, reject) => {
    const { host, path } = targetOf(`${input}`);
    const { method = "GET" } = init;
    const body = init.body as string | undefined;
    const headers: Record<string, string | number> = { "user-agent": USER_AGENT, "accept-encoding": "gzip" };
    // Of a DELETE's body Node would tell no length: what reads it would take it for the next request.
    if (body !== undefined) headers["content-length"] = Buffer.byteLength(body);
    Object.assign(headers, init.headers);
    const request = host.request({ ...host.options, path, method, headers }, (message) =>
      read(message, resolve, reject),
    );
    request.on("error", reject);
    signal?.addEventListener("abort", () => request.destroy(signal.reason as Error));
    request.end(body);
  });
};

/** Also by what only looks like Node, and has a faster `fetch`. */
function isReplaced(): boolean {
  if (WAS_REPLACED || globalThis.fetch !== ownFetch || "Bun" in globalThis || "Deno" in globalThis) return true;
  const dispatcher = (globalThis as { [DISPATCHER]?: object })[DISPATCHER];
  return dispatcher !== undefined && dispatcher.constructor.name !== "Agent";
}

function targetOf(url: string): { readonly host: Host; readonly path: string } {
  const end = url.indexOf("/", "https://".length);
  const path = url.slice(end);
  // What the app says of its server may hold characters that no request does.
  if (!SENDABLE.test(path)) return targetOf(new URL(url).href);
  const origin = url.slice(0, end);
  const host = hosts.get(origin) ?? hostOf(origin);
  if (hosts.size < MOST_HOSTS) hosts.set(origin, host);
  return { host, path };
}

function hostOf(origin: string): Host {
  const { protocol, hostname, port } = new URL(origin);
  // Loaded by the first request: half of the programs need only one of them, and some none.
  const { request } = process.getBuiltinModule(protocol === "https:" ? "node:https" : "node:http");
  return { request, options: { hostname: hostname.replace(/^\[|\]$/g, ""), port } };
}

/** The answer, once all of it is there. */
function read(message: IncomingMessage, resolve: (response: Response) => void, reject: (error: unknown) => void): void {
  const chunks: Buffer[] = [];
  message.on("error", reject);
  message.on("data", (chunk: Buffer) => chunks.push(chunk));
  message.on("end", () => {
    const bytes = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
    if (message.headers["content-encoding"] !== "gzip") return resolve(responseOf(message, bytes));
    const { gunzip } = process.getBuiltinModule("node:zlib");
    gunzip(bytes, (error, plain) => (error ? reject(error) : resolve(responseOf(message, plain))));
  });
}

function responseOf({ statusCode: status = 0, headers }: IncomingMessage, bytes: Buffer): Response {
  const get = (name: string): string | null => headers[name]?.toString() ?? null;
  const text = async (): Promise<string> => bytes.toString();
  return { status, ok: status >= 200 && status < 300, headers: { get }, text } as unknown as Response;
}
