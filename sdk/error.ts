import type { ErrorDetails, Outcome, ErrorCode as ServerCode } from "./protocol/errors.ts";

/** Every code the server sends (docs/error-codes.md), `network` (no answer came) and `aborted` (you stopped it). */
export type ErrorCode = ServerCode | "network" | "aborted";

/**
 * What an error tells beside its code: `faults`, `reason`, `scope`, `index`, `operation`, `outcome`; from a server in
 * development mode on this machine also `why`, the `Explanation` of a denial.
 */
export type Details = ErrorDetails;

/**
 * The one error that everything in the SDK throws.
 *
 * @example
 * try { await todos.create({ title: "" }) }
 * catch (e) { if (ApiError.is(e, "schema_violation")) show(e.fields.title?.message); else throw e; }
 */
export class ApiError extends Error {
  /** What went wrong, stable: decide by this, never by the message. */
  readonly code: ErrorCode;
  /** The HTTP status; 0 for `network` and `aborted`. */
  readonly status: number;
  readonly details: Details;
  /** Names the request in the server's log, and what was denied to `admin(db).rules.denial`. */
  readonly requestId?: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    about: { status?: number; details?: Details; requestId?: string | undefined; cause?: unknown } = {},
  ) {
    super(message, about.cause ? about : {});
    this.name = "ApiError";
    this.code = code;
    this.status = about.status ?? 0;
    this.details = about.details ?? {};
    this.requestId = about.requestId;
  }

  /** Whether the same request may succeed if it is sent again unchanged. */
  get retryable(): boolean {
    // What the table of sdk/protocol/errors.ts says of every code; a test holds them against each other.
    return this.code === "network" || this.code === "contention" || this.status === 429 || this.status > 501;
  }

  /** Narrows the code, as in `document_missing`; docs/error-codes.md lists them. */
  get reason(): string | undefined {
    return this.details.reason;
  }

  /** Writes only: whether the write took effect. `unknown` if no proof could be had. */
  get outcome(): Outcome | undefined {
    return this.details.outcome;
  }

  /** The faults by the path of the field, for forms: `error.fields.title?.message`. */
  get fields(): Record<string, { code: string; message: string }> {
    const fields: Record<string, { code: string; message: string }> = Object.create(null);
    for (const { path, code, message } of this.details.faults ?? []) {
      // A form knows its field as `title`, the server says `document.title` or `update.$set.title`.
      fields[path.replace(/^(?:document|update)\.(?:\$\w+\.)?/, "")] ??= { code, message };
    }
    return fields;
  }

  /** Whether something thrown is an ApiError, with one of these codes if any are named. */
  static is(error: unknown, ...codes: ErrorCode[]): error is ApiError {
    return error instanceof ApiError && (!codes[0] || codes.includes(error.code));
  }
}

/** The error for a value that cannot be sent: thrown before any request, with the path. */
export function refused(path: string, expected: string): ApiError {
  const message = `${path}: ${expected}`;
  return new ApiError("invalid_argument", message, {
    status: 400,
    details: { faults: [{ path, code: "bad_value", message }], outcome: "not_applied" },
  });
}

/** For the imports of what is loaded at first use. */
export function notLoaded(cause: unknown): never {
  throw new ApiError("network", "a part of the SDK did not load", { cause });
}
