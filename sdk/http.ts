import { decode } from "./decode.ts";
import { ApiError } from "./error.ts";
import { startLimit } from "./limit.ts";
import { errorOf } from "./reply.ts";
import { mayRetry, RETRIES, waitBefore } from "./retry.ts";

/** One request, before it is sent. */
export interface Call {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Below `/v1/`, percent-encoded, with its query. */
  readonly path: string;
  readonly body?: string | undefined;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal | undefined;
  /** Writes only, whose errors tell their outcome: resolves when it is this write's turn. */
  readonly turn?: Promise<unknown>;
  /** Called before each retry. */
  readonly onRetry?: () => void;
}

/** The only way out of the SDK: URL, token, codec, timeout, abort, retry, error; sdk.md 5. */
export interface Http {
  /** Sends, and sends again where that may help. Resolves with the decoded body of the reply. */
  send(call: Call): Promise<unknown>;
  /** Waits, unless the signal or {@link close} ends it. @throws ApiError `aborted` */
  sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<unknown>;
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

  /** Throws an ApiError if an error was answered, and whatever `fetch` throws if nothing was. */
  async function once({ method, path, body, headers }: Call, signal: AbortSignal): Promise<unknown> {
    const response = await fetch(`${url}/v1/${path}`, {
      method,
      signal,
      // A write that follows a redirect would arrive as a GET, and the answer be taken for the write's.
      redirect: "manual",
      headers: {
        ...(token && { authorization: `Bearer ${token}` }),
        ...(body && { "content-type": "application/json" }),
        ...headers,
      },
      ...(body && { body }),
    });
    const text = await response.text();
    if (!response.ok) throw errorOf(response, text);
    return text && decode(text);
  }

  async function send(call: Call): Promise<unknown> {
    const limit = startLimit([closing.signal, call.signal]);
    /** Whether some try may have had its effect although no answer said so. */
    let doubt = false;
    try {
      await limit.race(call.turn);
      limit.expire(timeout);
      const deadline = Date.now() + timeout;
      for (let n = 0; ; n++) {
        try {
          return await limit.race(once(call, limit.signal));
        } catch (cause) {
          const error = cause instanceof ApiError ? cause : noAnswer(cause);
          // `not_applied` needs proof: the server's word, or a refusal by its 4xx status.
          doubt ||= error.outcome !== "not_applied" && !(error.status > 399 && error.status < 500);
          const wait = waitBefore(n, error);
          if (limit.signal.aborted || n === RETRIES || !mayRetry(error) || Date.now() + wait > deadline) throw error;
          await limit.sleep(wait);
          call.onRetry?.();
        }
      }
    } catch (error) {
      if (!(call.turn && error instanceof ApiError)) throw error;
      const outcome = doubt ? "unknown" : "not_applied";
      throw Object.assign(error, { details: { ...error.details, outcome } });
    } finally {
      limit.end();
    }
  }

  return {
    send,
    async sleep(milliseconds, signal) {
      const limit = startLimit([closing.signal, signal]);
      await limit.sleep(milliseconds).finally(limit.end);
    },
    close: () => closing.abort(new Error("the client was closed")),
  };
}

function noAnswer(cause: unknown): ApiError {
  return new ApiError("network", "no answer: the connection failed", { cause });
}
