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
  /** Lets go of timers and listeners. */
  end(): void;
}

/** A limit without a time yet. */
export function startLimit(sources: readonly (AbortSignal | undefined)[]): Limit {
  const controller = new AbortController();
  const timers: unknown[] = [];
  const after = (milliseconds: number, act: () => void): unknown => timers.push(setTimeout(act, milliseconds));
  const never = new Promise<never>((_, reject) => {
    controller.signal.onabort = () => reject(controller.signal.reason);
  });
  // Reached between two races, it is told by the next one.
  never.catch(() => {});
  const race: Limit["race"] = (work) => Promise.race([never, work]);

  const onAbort = ({ target }: { target: unknown }): void => {
    controller.abort(new ApiError("aborted", "the request was aborted", { cause: (target as AbortSignal).reason }));
  };
  for (const source of sources) {
    source?.addEventListener("abort", onAbort);
    if (source?.aborted) onAbort({ target: source });
  }
  return {
    signal: controller.signal,
    race,
    sleep: (milliseconds) => race(new Promise<void>((resolve) => after(milliseconds, resolve))),
    expire: (timeout) => {
      after(timeout, () => controller.abort(new ApiError("network", `no answer within ${timeout} ms`)));
    },
    end() {
      for (const timer of timers) clearTimeout(timer as number);
      for (const source of sources) source?.removeEventListener("abort", onAbort);
    },
  };
}
