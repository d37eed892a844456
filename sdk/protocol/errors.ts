/**
 * Every error code of Galley, one row each: its HTTP status and whether the same request may succeed if it is sent
 * again unchanged. docs/error-codes.md is checked against this table.
 */
export const ERRORS = {
  invalid_argument: { status: 400, retryable: false },
  index_required: { status: 400, retryable: false },
  query_too_expensive: { status: 400, retryable: false },
  cursor_mismatch: { status: 400, retryable: false },
  unauthenticated: { status: 401, retryable: false },
  permission_denied: { status: 403, retryable: false },
  field_not_queryable: { status: 403, retryable: false },
  not_found: { status: 404, retryable: false },
  already_exists: { status: 409, retryable: false },
  unique_violation: { status: 409, retryable: false },
  contention: { status: 409, retryable: true },
  idempotency_mismatch: { status: 409, retryable: false },
  version_conflict: { status: 412, retryable: false },
  failed_precondition: { status: 412, retryable: false },
  payload_too_large: { status: 413, retryable: false },
  unsupported_media_type: { status: 415, retryable: false },
  range_not_satisfiable: { status: 416, retryable: false },
  schema_violation: { status: 422, retryable: false },
  path_conflict: { status: 422, retryable: false },
  conflicting_paths: { status: 422, retryable: false },
  rate_limited: { status: 429, retryable: true },
  internal: { status: 500, retryable: false },
  unavailable: { status: 503, retryable: true },
  draining: { status: 503, retryable: true },
  timeout: { status: 504, retryable: true },
  storage_full: { status: 507, retryable: true },
} as const satisfies Record<string, { status: number; retryable: boolean }>;

/** A code the server sends. The SDK adds `network` and `aborted`, which have no status. */
export type ErrorCode = keyof typeof ERRORS;

/** Why one place of an input was refused. `path` starts with the input's name, as in `filter.status.$gte`. */
export interface Fault {
  readonly path: string;
  readonly code: FaultCode;
  readonly message: string;
}

/** query-language.md 3.4, then those of updates, schemas, the HTTP edge and access rules. */
export type FaultCode =
  | "unknown_operator"
  | "not_available_yet"
  | "mixed_object"
  | "bad_operand"
  | "bad_path"
  | "bad_value"
  | "unsupported_value"
  | "reserved_field"
  | "too_deep"
  | "too_many_nodes"
  | "too_many_branches"
  | "too_many_values"
  | "too_long"
  | "numeric_segment"
  | "sort_parallel_arrays"
  | "sort_after_id"
  | "sort_key_too_long"
  | "unknown_member"
  | "missing_member"
  | "schema"
  | "unknown_key"
  | "operator_not_allowed"
  | "unknown_variable"
  | "variable_not_here"
  | "unknown_macro"
  | "macro_cycle"
  | "unknown_lookup"
  | "lookup_kind"
  | "lookup_not_in_list"
  | "reserved_collection"
  | "wrong_type"
  | "too_large"
  | "required_macro_missing";

/** Whether a failed write took effect. `not_applied` is said only on proof (fault-cases.md). */
export type Outcome = "not_applied" | "unknown";

/** What an error tells beside its code and message; http-api.md "Errors". */
export interface ErrorDetails {
  readonly faults?: readonly Fault[];
  readonly reason?: string;
  readonly scope?: string;
  readonly index?: { readonly paths: readonly string[] };
  readonly operation?: number;
  readonly outcome?: Outcome;
  readonly [more: string]: unknown;
}

/**
 * The one error that leaves a service. Its code, message and details are the safe face and may be sent to anyone; what
 * caused it stays in `cause`, which is logged and never sent.
 */
export class GalleyError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "GalleyError";
    this.code = code;
    this.details = details;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  /** The same error with more details, for a caller that knows more (a batch names its operation). */
  with(details: ErrorDetails): GalleyError {
    return new GalleyError(this.code, this.message, { ...this.details, ...details }, this.cause);
  }
}

/** Collects every fault of one input, so that the caller can mend them all at once. */
export class Faults {
  readonly list: Fault[] = [];

  add(path: string, code: FaultCode, message: string): void {
    // One hostile input must not make a reply of a million lines, nor of 100 lines with a megabyte in each.
    if (this.full) return;
    const place = path.length > MAX_PATH ? `${path.slice(0, MAX_PATH)}…` : path;
    this.list.push({ path: place, code, message: `${place}: ${message}` });
  }

  /** Whether further faults are dropped; what is costly to say need not be said then. */
  get full(): boolean {
    return this.list.length >= MAX_FAULTS;
  }

  get any(): boolean {
    return this.list.length > 0;
  }

  /** @throws GalleyError `invalid_argument` with every fault, if there is one. */
  throwIfAny(): void {
    const [first] = this.list;
    if (!first) return;
    const more = this.list.length - 1;
    const message = more === 0 ? first.message : `${first.message} (and ${more} more)`;
    throw new GalleyError("invalid_argument", message, { faults: this.list });
  }
}

const MAX_FAULTS = 100;
/** Characters; longer than the path of anything that is accepted. */
const MAX_PATH = 1000;
