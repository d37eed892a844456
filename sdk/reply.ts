import type { ErrorCode } from "./error.ts";
import { ApiError } from "./error.ts";
import type { ErrorDetails } from "./protocol/errors.ts";

/**
 * What an answer means that some proxy gave in Galley's place. Nothing here can be taken for a fact about data: a
 * stranger's 404 is no `not_found`.
 */
const FOREIGN: Record<number, ErrorCode> = {
  401: "unauthenticated",
  403: "permission_denied",
  413: "payload_too_large",
  429: "rate_limited",
  502: "unavailable",
  503: "unavailable",
  504: "timeout",
};

/** The error that a reply other than 2xx stands for. */
export function errorOf(response: Response, text: string): ApiError {
  const { status, headers } = response;
  const sent = read(text);
  const wait = retryAfter(headers.get("retry-after"));
  const details: ErrorDetails = { ...sent?.details, ...(wait !== undefined && { retryAfter: wait }) };
  const requestId = sent?.requestId ?? headers.get("x-request-id") ?? undefined;
  if (sent) return new ApiError(sent.code, sent.message, { status, details, requestId });
  return new ApiError(FOREIGN[status] ?? "internal", `HTTP ${status} from something that is not Galley: is the url right?`, {
    status,
    details,
    requestId,
  });
}

interface SentError {
  code: ErrorCode;
  message: string;
  details?: ErrorDetails;
  requestId?: string;
}

function read(text: string): SentError | undefined {
  try {
    const { error } = JSON.parse(text) as { error?: SentError };
    return typeof error?.code === "string" ? error : undefined;
  } catch {
    return undefined;
  }
}

/** Seconds to wait, from a `Retry-After` in either of its forms (RFC 9110 10.2.3). */
function retryAfter(header: string | null): number | undefined {
  if (header === null) return undefined;
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds);
}
