import { ApiError } from "./error.ts";
import { parseText } from "./protocol/values.ts";
import { errorOf } from "./reply.ts";
import { mayRetry, pause, RETRIES, waitBefore } from "./retry.ts";
import { createStop } from "./stop.ts";

/** One request, before it is sent. */
export interface Call {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Below `/v1/`, percent-encoded, with its query. */
  readonly path: string;
  readonly body?: string | undefined;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal | undefined;
  /** A write's error tells its outcome. */
  readonly write?: boolean;
  /** Called before each retry. */
  readonly onRetry?: () => void;
}

/** The only way out of the SDK: URL, token, codec, timeout, abort, retry, error; sdk.md 5. */
export interface Http {
  /** Sends, and sends again where that may help. Resolves with the decoded body of the reply. */
  send(call: Call): Promise<unknown>;
  /** The highest position that a write's answer carried. */
  readonly position: string | undefined;
  /** Aborts every request, for good. */
  close(): void;
}

export interface HttpOptions {
  /** Without a slash at its end. */
  readonly url: string;
  readonly token: string | undefined;
  /** Milliseconds for a request with all its retries. */
  readonly timeout: number;
  readonly fetch: typeof fetch;
}

export function createHttp({ url, token, timeout, fetch }: HttpOptions): Http {
  const closing = new AbortController();
  let position: string | undefined;

  /** Throws an ApiError if an error was answered, and whatever `fetch` throws if nothing was. */
  async function once({ method, path, body, headers }: Call, signal: AbortSignal): Promise<unknown> {
    const response = await fetch(`${url}/v1/${path}`, {
      method,
      signal,
      // A write that follows a redirect would arrive as a GET, and the answer be taken for the write's.
      redirect: "manual",
      headers: {
        ...(token && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { "content-type": "application/json" }),
        ...headers,
      },
      ...(body !== undefined && { body }),
    });
    const text = await response.text();
    if (!response.ok) throw errorOf(response, text);
    const reply = text && parseText(text);
    const at = response.headers.get("x-galley-position");
    if (at) position = later(position, at);
    return reply;
  }

  async function send(call: Call): Promise<unknown> {
    const stop = createStop(timeout, [closing.signal, call.signal]);
    const deadline = Date.now() + timeout;
    /** Whether some try may have had its effect although no answer said so. */
    let doubt = false;
    try {
      for (let n = 0; ; n++) {
        if (stop.error) throw told(stop.error, call, doubt);
        try {
          return await stop.race(once(call, stop.signal));
        } catch (cause) {
          const error = cause instanceof ApiError ? cause : (stop.error ?? noAnswer(cause));
          doubt ||= mayBeApplied(error);
          const wait = waitBefore(n, error);
          if (stop.error || n === RETRIES || !mayRetry(error) || Date.now() + wait > deadline) {
            throw told(error, call, doubt);
          }
          await pause(wait, stop.signal);
          call.onRetry?.();
        }
      }
    } finally {
      stop.end();
    }
  }

  return {
    send,
    get position() {
      return position;
    },
    close: () => closing.abort(new Error("the client was closed")),
  };
}

/** Positions of one history compare as text. Another history follows a restore: then the newest answer counts. */
function later(held: string | undefined, position: string): string {
  const same = held?.split(".")[0] === position.split(".")[0];
  return held && same && held > position ? held : position;
}

function noAnswer(cause: unknown): ApiError {
  return new ApiError("network", "no answer: the server could not be reached, or the connection broke", { cause });
}

/** `not_applied` needs proof: the server's word, or a refusal by its 4xx status. */
function mayBeApplied({ outcome, status }: ApiError): boolean {
  return outcome !== "not_applied" && !(status >= 400 && status < 500);
}

function told(error: ApiError, { write }: Call, doubt: boolean): ApiError {
  if (!write) return error;
  const { code, message, details, cause } = error;
  return new ApiError(code, message, {
    ...error,
    details: { ...details, outcome: doubt ? "unknown" : "not_applied" },
    cause,
  });
}
