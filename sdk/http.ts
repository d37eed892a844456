import { decode } from "./decode.ts";
import { ApiError } from "./error.ts";
import { type Limit, startLimit } from "./limit.ts";
import type { Course } from "./own-writes.ts";
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
  /** Told when it leaves, and where its commit stands. */
  readonly course?: Course | undefined;
  /** Called before each retry. */
  readonly onRetry?: () => void;
  /** Other than document writes, whose keys make a repeat harmless: it could act twice, so nothing may be in doubt. */
  readonly once?: boolean;
  /** Milliseconds, where it has less than others. */
  readonly timeout?: number | undefined;
  /** Taken before, where several requests belong together; else that of whoever is signed in now. */
  readonly grant?: Grant | undefined;
}

/**
 * Whom a request speaks for, asked before each try.
 *
 * @param refused what the server said to the token of the last try
 * @returns the token; undefined for nobody
 * @throws ApiError if there is none any more: for someone else, the request is not sent
 */
export type Grant = (refused?: { readonly token: string; readonly error: ApiError }) => Promise<string | undefined>;

/** The only way out of the SDK: URL, token, codec, timeout, abort, retry, error; sdk.md 5. */
export interface Http {
  /** Sends, and sends again where that may help. Resolves with the decoded body of the reply. */
  send(call: Call): Promise<unknown>;
  /** The grant of a request that is made now. */
  readonly claim: () => Grant;
  /** Told by replies. */
  readonly seen: Seen;
  /** Waits, unless the signal or {@link close} ends it. @throws ApiError `aborted` */
  sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<unknown>;
  /** Aborts every request, for good. */
  close(): void;
}

/** The last place in the server's order of commits that this client has been told of. */
export interface Seen {
  position?: string | undefined;
}

export interface HttpOptions {
  /** Without a slash at its end. */
  readonly url: string;
  /** The grant of a request that is made now. */
  readonly claim: () => Grant;
  /** Milliseconds for a request with all its retries. */
  readonly timeout: number;
  readonly fetch: typeof fetch;
}

export function createHttp({ url, claim, timeout, fetch }: HttpOptions): Http {
  const running = new Set<Limit>();
  /** Once it is closed. */
  let closed: Error | undefined;
  const seen: Seen = {};

  function limitOf(signal: AbortSignal | undefined): Limit {
    const limit = startLimit(running, signal);
    if (closed) limit.stop(closed);
    return limit;
  }

  /** Throws an ApiError if an error was answered, and whatever `fetch` throws if nothing was. */
  async function once(
    { method, path, body, headers, course }: Call,
    token: string | undefined,
    signal: AbortSignal,
  ): Promise<unknown> {
    course?.sent?.();
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
    const position = response.headers.get("x-galley-position");
    if (course && position) course.position = position;
    // Replies overtake each other. Of another history any will do: the socket tells which one counts.
    if (position && !((seen.position as string) > position)) seen.position = position;
    if (!response.ok) throw errorOf(response, text);
    // Whoever else answers nothing has done nothing.
    return response.status !== 204 && decode(text);
  }

  async function send(call: Call): Promise<unknown> {
    const { grant = claim() } = call;
    const limit = limitOf(call.signal);
    const time = Math.min(timeout, call.timeout ?? timeout);
    /** Whether some try may have had its effect although no answer said so. */
    let doubt = false;
    let refusals = 0;
    try {
      if (call.turn) await limit.race(call.turn);
      limit.expire(time);
      const deadline = Date.now() + time;
      let token = await limit.race(grant());
      for (let n = 0; ; ) {
        try {
          return await limit.race(once(call, token, limit.signal));
        } catch (cause) {
          const error = cause instanceof ApiError ? cause : noAnswer(cause);
          // `not_applied` needs proof: the server's word, or a refusal by its 4xx status.
          doubt ||= error.outcome !== "not_applied" && !(error.status > 399 && error.status < 500);
          if (token && isRefusal(error, refusals)) {
            token = await limit.race(grant({ token, error }));
            if (refusals++) throw error;
            continue;
          }
          const wait = waitBefore(n, error);
          const may = mayRetry(error) && !(call.once && doubt);
          if (limit.signal.aborted || n++ === RETRIES || !may || Date.now() + wait > deadline) throw error;
          await limit.sleep(wait);
          token = await limit.race(grant());
          call.onRetry?.();
        }
      }
    } catch (error) {
      if (!((call.turn || call.once) && error instanceof ApiError)) throw error;
      const { code, message, cause, details } = error;
      const outcome = doubt ? "unknown" : "not_applied";
      // Made anew: what ended a refresh is thrown to every request that waited for it.
      throw new ApiError(code, message, { ...error, cause, details: { ...details, outcome } });
    } finally {
      limit.end();
    }
  }

  return {
    send,
    claim,
    seen,
    async sleep(milliseconds, signal) {
      const limit = limitOf(signal);
      await limit.sleep(milliseconds).finally(limit.end);
    },
    close() {
      closed ??= new Error("the client was closed");
      for (const limit of running) limit.stop(closed);
    },
  };
}

/** Whether the server refused the token: a new one may help, once; the end of its session is told in any case. */
function isRefusal({ code, reason }: ApiError, refusals: number): boolean {
  return code === "unauthenticated" && (reason === "session_ended" || (reason === "token_invalid" && !refusals));
}

function noAnswer(cause: unknown): ApiError {
  return new ApiError("network", "no answer came", { cause });
}
