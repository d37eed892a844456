import { ApiError } from "./error.ts";

/** What ends a request early: its time is over, or somebody aborted it. */
export interface Stop {
  /** For `fetch`. */
  readonly signal: AbortSignal;
  /** Why it was ended; undefined while it was not. */
  readonly error: ApiError | undefined;
  /** The work's result, or the error as soon as there is one: also if the work ignores the signal. */
  race<R>(work: Promise<R>): Promise<R>;
  /** Lets go of timer and listeners. */
  end(): void;
}

/** @param timeout milliseconds from now */
export function createStop(timeout: number, signals: readonly (AbortSignal | undefined)[]): Stop {
  const controller = new AbortController();
  const { signal } = controller;
  let error: ApiError | undefined;
  let fail: (error: ApiError) => void = () => {};

  const stop = (why: ApiError): void => {
    error ??= why;
    controller.abort(error);
    fail(error);
  };
  const abort = (event: Event): void => stop(abortedBy(event.target as AbortSignal));
  const timer = setTimeout(() => stop(new ApiError("network", `no answer within ${timeout} ms`)), timeout);
  for (const source of signals) {
    if (source?.aborted) stop(abortedBy(source));
    else source?.addEventListener("abort", abort);
  }
  return {
    signal,
    get error() {
      return error;
    },
    race: (work) =>
      new Promise((resolve, reject) => {
        fail = reject;
        work.then(resolve, reject);
      }),
    end: () => {
      clearTimeout(timer);
      for (const source of signals) source?.removeEventListener("abort", abort);
    },
  };
}

/** The error of an abort, with the caller's reason as its cause. */
export function abortedBy({ reason }: AbortSignal): ApiError {
  return new ApiError("aborted", "the request was aborted", { cause: reason });
}
