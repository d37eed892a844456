/** The chat of docs/examples/chat as it is deployed: built by Vite, served as files, on a Galley in a process of its own. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { createClient } from "@galley/sdk";
import type { Engine } from "./engines.ts";
import { ROOT } from "./own-modules.ts";
import { CLEAN_ENV, run } from "./programs.ts";
import { PROCESS_KEY, startGalley } from "./server-process.ts";
import type { Teardown } from "./teardown.ts";

const EXAMPLE = join(ROOT, "docs/examples/chat");
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
};

/**
 * Builds the app, for a Galley at that address.
 *
 * @returns where it is served
 */
export async function serveChat(t: Teardown, galley: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "galley-chat-site-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const vite = join(ROOT, "node_modules/vite/bin/vite.js");
  await run(process.execPath, [vite, "build", EXAMPLE, "--outDir", folder, "--logLevel", "warn"], {
    env: { ...CLEAN_ENV, VITE_GALLEY_URL: galley },
  });
  const site = createServer(({ url = "/" }, response) => {
    const path = url === "/" ? "/index.html" : url;
    response.setHeader("content-type", TYPES[extname(path)] ?? "text/plain").end(readFileSync(join(folder, path)));
  });
  await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
  t.teardown(() => {
    site.closeAllConnections();
    site.close();
  });
  return `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
}

export interface ChatServer {
  /** kill -9, and a start on the same port and data. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Stores what somebody has said in a room, in one commit. */
  tell(room: string, handle: string, texts: readonly string[]): Promise<void>;
}

/** Starts Galley in production mode at an address, and sets the chat up there by the example's own script. */
export async function startChatServer(t: Teardown, engine: Engine, url: string, site: string): Promise<ChatServer> {
  const folder = mkdtempSync(join(tmpdir(), "galley-chat-"));
  const env = { ...engine.env(folder), GALLEY_PORT: new URL(url).port, GALLEY_ALLOWED_ORIGINS: site };
  let server = await startGalley(folder, env);
  t.teardown(async () => {
    await server.end("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });
  await run(process.execPath, [join(EXAMPLE, "setup.mjs")], {
    env: { ...CLEAN_ENV, GALLEY_URL: url, GALLEY_SERVICE_KEY: PROCESS_KEY },
  });
  return {
    kill: async () => void (await server.end("SIGKILL")),
    async start() {
      server = await startGalley(folder, env);
    },
    async tell(room, handle, texts) {
      const db = createClient({ url, serviceKey: PROCESS_KEY });
      const author = await db.collection("users").find({ handle }).first();
      await db.batch((batch) => {
        for (const text of texts) batch.collection("messages").create({ room, author: author?._id, text });
      });
      db.close();
    },
  };
}

/** An address of this machine where nothing listens. */
export async function freeAddress(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}
