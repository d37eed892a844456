import { ApiError } from "./error.ts";

/** The time that some work has, and whoever may stop it before. */
export interface Limit {
  /** For `fetch`; aborts when the limit is reached. */
  readonly signal: AbortSignal;
  /** Settles as the work does, or throws once the limit is reached: also if the work takes no notice of the signal. */
  race<R>(work: R): Promise<Awaited<R>>;
  /** Waits, or throws once the limit is reached. */
  sleep(milliseconds: number): Promise<unknown>;
  /** Sets the time: from now, in milliseconds. */
  expire(milliseconds: number): void;
  /** Ends it now. */
  stop(cause: unknown): void;
  /** Lets go of timers and listeners. */
  end(): void;
}

/**
 * A limit without a time yet.
 *
 * @param running of all that are, those of a client: a signal that many listen to makes Node warn of a leak
 */
export function startLimit(running: Set<Limit>, source: AbortSignal | undefined): Limit {
  const controller = new AbortController();
  let fail!: (error: ApiError) => void;
  const timers: unknown[] = [];
  const after = (milliseconds: number, act: () => void): unknown => timers.push(setTimeout(act, milliseconds));
  const never = new Promise<never>((_, reject) => {
    fail = reject;
  });
  // Reached between two races, it is told by the next one.
  never.catch(() => {});
  const race: Limit["race"] = (work) => Promise.race([never, work]);

  // Of whoever is first, and before what it stops: React Native's signals know no reason.
  const abort = (error: ApiError): void => {
    fail(error);
    controller.abort(error);
  };
  const stop = (cause: unknown): void => abort(new ApiError("aborted", "the request was aborted", { cause }));
  const onAbort = (): void => stop(source?.reason);
  source?.addEventListener("abort", onAbort);
  if (source?.aborted) onAbort();
  const limit: Limit = {
    signal: controller.signal,
    race,
    sleep: (milliseconds) => race(new Promise<void>((resolve) => after(milliseconds, resolve))),
    expire: (timeout) => {
      after(timeout, () => abort(new ApiError("network", `no answer within ${timeout} ms`)));
    },
    stop,
    end() {
      for (const timer of timers) clearTimeout(timer as number);
      source?.removeEventListener("abort", onAbort);
      running.delete(limit);
    },
  };
  running.add(limit);
  return limit;
}
