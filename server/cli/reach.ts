import { readFileSync } from "node:fs";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { join } from "node:path";
import { Readable } from "node:stream";
import { type Call, CommandError, textOption } from "./command.ts";

/** How a command speaks to Galley: always by HTTP's requests and answers, whether or not a socket lies between. */
export interface Reach {
  /** Who answers, for messages. */
  readonly where: string;
  /** Of a server that runs, with a key that it takes. */
  readonly address?: { readonly url: string; readonly key: string };
  send(request: ReachRequest): Promise<ReachReply>;
  close(): Promise<void>;
}

export interface ReachRequest {
  readonly method: string;
  readonly path: string;
  /** JSON text, or bytes that are streamed while the answer is already being read. */
  readonly body?: string | AsyncIterable<Uint8Array>;
  readonly type?: string;
  /** Breaks it off. */
  readonly signal?: AbortSignal;
}

export interface ReachReply {
  readonly status: number;
  /** The Date header, if there is one. */
  readonly date?: string;
  readonly body: Readable;
}

/**
 * Finds Galley as configuration.md says: `--url` or GALLEY_URL with GALLEY_SERVICE_KEY; else the server that runs on the
 * data folder, by its `server.json`; else the app itself, started here without listening.
 */
export async function reach(call: Call): Promise<Reach> {
  const server = await reachServer(call);
  if (server) return server;
  const { withinProcess } = await import("./reach-app.ts");
  return withinProcess(call, dataFolder(call));
}

/** As {@link reach}, but for the app itself: undefined if no server runs on the data folder. */
export async function reachServer(call: Call): Promise<Reach | undefined> {
  const url = textOption(call, "url") ?? call.env.GALLEY_URL;
  if (url !== undefined) {
    const key = serviceKey(call.env);
    if (!key) throw new CommandError("set GALLEY_SERVICE_KEY to a service key of the server at --url");
    return overNetwork(url, key);
  }
  const running = readServerFile(dataFolder(call));
  return running && (await answers(running.url)) ? overNetwork(running.url, running.key) : undefined;
}

/** As the server's own variables, this one may name a file that holds the value. */
function serviceKey({ GALLEY_SERVICE_KEY: key, GALLEY_SERVICE_KEY_FILE: file }: NodeJS.ProcessEnv): string | undefined {
  if (key !== undefined || file === undefined) return key;
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CommandError(`GALLEY_SERVICE_KEY_FILE: expects a readable file (${code})`);
  }
}

export function dataFolder(call: Call): string {
  return textOption(call, "data-dir") ?? call.env.GALLEY_DATA_DIR ?? "data";
}

/** Sends JSON, reads JSON. @throws CommandError with the server's own message for any answer but 2xx */
export async function sendJson<T>(to: Reach, method: string, path: string, body?: unknown): Promise<T> {
  const reply = await to.send({ method, path, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  const text = await readText(reply.body);
  if (reply.status >= 300) throw new CommandError(errorMessage(text, reply.status));
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

export async function readText(body: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

/** The message of an error reply, or its status where it is not one of Galley's. */
export function errorMessage(text: string, status: number): string {
  try {
    const { error } = JSON.parse(text) as { error?: { code?: unknown; message?: unknown } };
    if (typeof error?.message === "string") return `${error.message} (${String(error.code)})`;
  } catch {
    // Not Galley's envelope: something else answers at this address.
  }
  return `the server answered ${status}`;
}

/** Why an answer was not read to its end. */
export function breakReason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === "ECONNRESET" ? "the server closed the connection" : message;
}

function overNetwork(url: string, key: string): Reach {
  let base: URL;
  try {
    base = new URL(url);
  } catch {
    throw notAnAddress(url);
  }
  if (!/^https?:$/.test(base.protocol)) throw notAnAddress(url);
  if (!/^[\x21-\x7e]+$/.test(key)) throw new CommandError("GALLEY_SERVICE_KEY holds what no service key holds");
  const open = base.protocol === "https:" ? httpsRequest : httpRequest;
  return {
    where: base.origin,
    address: { url: base.origin, key },
    // node:http rather than fetch: an import reads verdicts while it still sends rows, and fetch does not begin to
    // answer before the whole body is sent.
    send: ({ method, path, body, type, signal }) =>
      new Promise((resolve, reject) => {
        const headers: Record<string, string> = { authorization: `Bearer ${key}` };
        if (body !== undefined) headers["content-type"] = type ?? "application/json";
        let answer: IncomingMessage | undefined;
        const request = open(new URL(path, base), { method, headers, ...(signal && { signal }) }, (reply) => {
          answer = reply;
          resolve({
            status: reply.statusCode ?? 0,
            body: reply,
            ...(reply.headers.date === undefined ? {} : { date: reply.headers.date }),
          });
        });
        request.on("error", (error) => reject(new CommandError(`${base.origin} does not answer: ${error.message}`)));
        if (body === undefined || typeof body === "string") request.end(body);
        else {
          const rows = Readable.from(body);
          rows.on("error", (error) => {
            // What fails here is what the body is made from, not the server: told so, also if it is answering already.
            reject(error);
            answer?.destroy(error);
            request.destroy();
          });
          rows.pipe(request);
        }
      }),
    close: async () => {},
  };
}

function notAnAddress(url: string): CommandError {
  return new CommandError(`${JSON.stringify(url)} is not a URL; expects one like http://127.0.0.1:4600`);
}

function readServerFile(folder: string): { url: string; key: string } | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, "server.json"), "utf8")) as { url: string; key: string };
  } catch {
    return undefined;
  }
}

/** Whether a server still answers there: a killed one leaves its file behind. */
function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = httpRequest(new URL("/v1/health", url), { timeout: 2000 }, (reply) => {
      reply.resume();
      resolve(reply.statusCode === 200);
    });
    request.on("error", () => resolve(false));
    request.on("timeout", () => request.destroy());
    request.end();
  });
}
