import { GalleyError } from "#protocol/errors";

/** An error of a write that has not reached the store's commit: nothing of it was applied. */
export function refused(error: unknown): unknown {
  if (!(error instanceof GalleyError) || error.details.outcome !== undefined) return error;
  return error.with({ outcome: "not_applied" });
}

/** Runs the part of a write that comes before its commit. */
export function refusing<T>(part: () => T): T {
  try {
    const result = part();
    // A promise's errors are turned alike.
    if (result instanceof Promise) return result.catch((error: unknown) => Promise.reject(refused(error))) as T;
    return result;
  } catch (error) {
    throw refused(error);
  }
}

/** Which write of a commit the store found at fault; undefined if it was none of them. */
export function faultyWrite(error: unknown): number | undefined {
  return error instanceof GalleyError ? error.details.operation : undefined;
}

/** The same error without the place in a commit, which the caller of one write never saw. */
export function withoutPlace(error: unknown): unknown {
  if (!(error instanceof GalleyError) || error.details.operation === undefined) return error;
  const { operation, ...details } = error.details;
  return new GalleyError(error.code, error.message, details, error.cause);
}
