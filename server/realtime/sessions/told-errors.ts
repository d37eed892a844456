import { ERRORS, GalleyError } from "#protocol/errors";
import type { Log } from "../../log.ts";
import { errorText } from "./server-frames.ts";

/** Frames that tell what went wrong, each with an id under which the log has what is a fault of ours. */
export function createErrorTexts(random: (bytes: number) => Uint8Array, log: Log) {
  const start = Buffer.from(random(6)).toString("hex");
  let count = 0;
  return (thrown: unknown, s: number | undefined): string => {
    const error = asOurs(thrown);
    const requestId = `${start}-${(count++).toString(36)}`;
    if (ERRORS[error.code].status >= 500) {
      const event = { requestId, error: error.code, ...(error.cause !== undefined && { err: error.cause }) };
      log[error.code === "internal" ? "error" : "warn"](event, error.message);
    }
    return errorText(error, requestId, s);
  };
}

function asOurs(error: unknown): GalleyError {
  if (error instanceof GalleyError) return error;
  return new GalleyError("internal", "something went wrong on the server; its log has the request id", {}, error);
}
