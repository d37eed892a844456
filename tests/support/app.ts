import { mkdtempSync, rmSync } from "node:fs";
import { Agent, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type App, createApp, type Overrides } from "../../server/app.ts";
import { type Mode, readConfig } from "../../server/config.ts";
import { type Engine, SQLITE } from "./engines.ts";

export interface StartOptions extends Overrides {
  /** development by default. */
  readonly mode?: Mode;
  /** Where documents are kept; embedded by default. */
  readonly engine?: Engine;
  /** GALLEY_ variables beside those that a test app sets. */
  readonly env?: Readonly<Record<string, string>>;
  /** Kept after `close`, for a test that starts a second app on it; by default a temporary one. */
  readonly folder?: string;
}

/** A Galley of a test's own, listening on loopback. */
export interface TestApp {
  readonly app: App;
  readonly url: string;
  /** A full service key. */
  readonly key: string;
  readonly folder: string;
  /** Sends a request as the full key, exactly as told: nothing is added but that key and a JSON body's type. */
  send(method: string, path: string, options?: SendOptions): Promise<Answer>;
  close(): Promise<void>;
}

export interface SendOptions {
  /** Sent as JSON; text and bytes as they are. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  /** The bearer token; null: none. */
  readonly as?: string | null;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The text as JSON, if it is JSON. */
  readonly json: Json;
}

// Tests look into answers by path; what is not there fails their assertion.
// biome-ignore lint/suspicious/noExplicitAny: see above
type Json = any;

/** A password's hash takes 33 ms of a core as it should, and nothing as it does here. */
const CHEAP = { m: 8, t: 1, p: 1 };

export const TEST_KEY = "gsk_test_5f0c1d9ae27b48c6a3e1f4d2b7098c5e";

/** Starts an app; hand its `close` to `t.teardown`. */
export async function startApp(options: StartOptions = {}): Promise<TestApp> {
  const { mode = "development", engine = SQLITE, env = {}, folder, ...given } = options;
  const overrides = { hashCosts: CHEAP, ...given };
  const dataDir = folder ?? mkdtempSync(join(tmpdir(), "galley-test-"));
  const config = readConfig({
    mode,
    env: {
      GALLEY_DATA_DIR: dataDir,
      GALLEY_PORT: "0",
      GALLEY_SERVICE_KEY: TEST_KEY,
      GALLEY_LOG_LEVEL: "silent",
      ...engine.env(dataDir),
      ...env,
    },
  });
  const app = await createApp(config, overrides);
  const { url } = await app.listen();
  const agent = new Agent({ keepAlive: true });
  return {
    app,
    url,
    key: TEST_KEY,
    folder: dataDir,
    send: (method, path, request) => send(url, agent, method, path, request),
    async close() {
      agent.destroy();
      await app.close();
      if (folder === undefined) rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** node:http, because fetch adds headers of its own, mends paths and refuses what a hostile client would send. */
function send(url: string, agent: Agent, method: string, path: string, options: SendOptions = {}): Promise<Answer> {
  const { body, headers: given = {}, as = TEST_KEY } = options;
  const plain = body === undefined || typeof body === "string" || body instanceof Uint8Array;
  const payload = plain ? body : JSON.stringify(body);
  const headers: Record<string, string> = {};
  if (payload !== undefined) {
    headers["content-type"] = "application/json";
    headers["content-length"] = String(Buffer.byteLength(payload));
  }
  if (as !== null) headers.authorization = `Bearer ${as}`;
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) delete headers[name];
    else headers[name] = value;
  }
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const request = httpRequest({ hostname, port, agent, method, path, headers }, (reply) => {
      const chunks: Buffer[] = [];
      reply.on("data", (chunk: Buffer) => chunks.push(chunk));
      reply.on("error", reject);
      reply.on("end", () => {
        const text = Buffer.concat(chunks).toString("utf8");
        resolve({ status: reply.statusCode ?? 0, headers: reply.headers, text, json: parsed(text) });
      });
    });
    request.on("error", reject);
    request.end(payload);
  });
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
