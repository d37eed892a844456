import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { extname, join, relative, sep } from "node:path";
import type { FastifyReply } from "fastify";
import { isKnown } from "./conditions.ts";
import type { HeaderList, Replies } from "./reply.ts";

/** A file as it is served: read once, whole. Only for what the build makes, which is small and does not change. */
export interface StaticFile {
  readonly body: Buffer;
  readonly type: string;
  readonly etag: string;
}

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
  ".json": "application/json; charset=utf-8",
  ".tgz": "application/gzip",
};

/** One file, or undefined if it is not there. */
export function readStaticFile(path: string): StaticFile | undefined {
  const type = TYPES[extname(path)];
  if (type === undefined || !statSync(path, { throwIfNoEntry: false })?.isFile()) return undefined;
  const body = readFileSync(path);
  return { body, type, etag: `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"` };
}

/**
 * The files of a folder by their path in it, with `/` between. Requests are looked up in this list, never in the file
 * system, so no path can lead out of the folder.
 */
export function listStaticFiles(folder: string): ReadonlyMap<string, StaticFile> {
  const files = new Map<string, StaticFile>();
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return files;
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    const path = join(folder, name);
    const file = readStaticFile(path);
    if (file !== undefined) files.set(relative(folder, path).split(sep).join("/"), file);
  }
  return files;
}

/** Sends a file, or 304 if the client has it. */
export function sendStaticFile(
  replies: Replies,
  reply: FastifyReply,
  { body, type, etag }: StaticFile,
  cacheControl: string,
  more: HeaderList = [],
  csp?: string,
): void {
  const headers = ["cache-control", cacheControl, "etag", etag, ...more];
  // The headers of a 304 replace those that the browser kept, its policy too.
  if (isKnown(reply.request.headers["if-none-match"], etag)) replies.empty(reply, 304, headers, csp);
  else replies.body(reply, 200, body, ["content-type", type, ...headers], csp);
}
