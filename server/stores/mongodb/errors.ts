import {
  MongoError,
  MongoNetworkError,
  MongoServerError,
  MongoServerSelectionError,
  MongoWriteConcernError,
} from "mongodb";
import { type ErrorCode, GalleyError } from "#protocol/errors";
import { TimeIsUp } from "./time-limit.ts";

/** Codes of MongoDB that the engine knows by name. */
export const CODES = {
  authenticationFailed: 18,
  namespaceNotFound: 26,
  indexNotFound: 27,
  cursorNotFound: 43,
  namespaceExists: 48,
  maxTimeExpired: 50,
  indexOptionsConflict: 85,
  indexKeySpecsConflict: 86,
  writeConflict: 112,
  parallelArrays: 171,
  queryPlanKilled: 175,
  snapshotTooOld: 239,
  snapshotUnavailable: 246,
  noSuchTransaction: 251,
  indexBuildAborted: 276,
  collectionUuidMismatch: 361,
  duplicateKey: 11_000,
  outOfDiskSpace: 14_031,
  transactionCommitted: 256,
  /** None of MongoDB's: it says `snapshotUnavailable` of a capped collection too, for which that never passes. */
  cappedCollection: -1,
} as const;

/** Not primary, stepping down, shutting down, or a network fault between the server's parts: another try may do. */
const GONE = new Set([6, 7, 89, 91, 133, 134, 189, 262, 9001, 10_107, 11_600, 11_602, 13_435, 13_436]);
/** What mongod refuses by itself and asks again for, though the server is there. */
const PASSING: ReadonlySet<number> = new Set([
  CODES.cursorNotFound,
  CODES.writeConflict,
  CODES.queryPlanKilled,
  CODES.snapshotTooOld,
  CODES.snapshotUnavailable,
]);

/** The code of MongoDB's own error; undefined if something else was thrown. */
export function codeOf(error: unknown): number | undefined {
  if (!(error instanceof MongoServerError) || typeof error.code !== "number") return undefined;
  const isCapped = error.code === CODES.snapshotUnavailable && error.message.includes("capped collection");
  return isCapped ? CODES.cappedCollection : error.code;
}

export function hasLabel(error: unknown, label: string): boolean {
  return error instanceof MongoError && error.hasErrorLabel(label);
}

/** Whether the server was gone or going, so that the same command may succeed with the next primary. */
export function isGone(error: unknown): boolean {
  if (error instanceof MongoNetworkError || error instanceof MongoServerSelectionError) return true;
  if (error instanceof TimeIsUp || isHungUp(error)) return true;
  if (hasLabel(error, "RetryableWriteError")) return true;
  const code = error instanceof MongoWriteConcernError ? error.result.writeConcernError?.code : codeOf(error);
  return code !== undefined && GONE.has(code);
}

/** Whether the system says that the other side has hung up, in words that the driver did not make its own. */
function isHungUp(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "EPIPE" || error.code === "ECONNRESET");
}

/**
 * Whether an error proves that a command changed nothing: it never left this process, or the server says so itself.
 * What a reply merely suggests is no proof (fault-cases.md).
 */
export function provesNothingDone(error: unknown): boolean {
  if (error instanceof MongoServerSelectionError || hasLabel(error, "NoWritesPerformed")) return true;
  // While the connection was opened, or while the command still waited for one.
  if (hasLabel(error, "HandshakeError") || isRefusedConnection(error)) return true;
  return error instanceof MongoError && ["MongoWaitQueueTimeoutError", "MongoPoolClearedError"].includes(error.name);
}

function isRefusedConnection(error: unknown): boolean {
  if (!(error instanceof MongoNetworkError)) return false;
  return error.cause instanceof Error && "code" in error.cause && error.cause.code === "ECONNREFUSED";
}

/** Turns what a read threw into an error of the port. */
export function readError(error: unknown): GalleyError {
  if (error instanceof GalleyError) return error;
  if (codeOf(error) === CODES.maxTimeExpired) {
    return new GalleyError("timeout", "the query took too long", {}, error);
  }
  return failure(error);
}

/** Turns what a write threw into an error of the port; its outcome is `unknown` unless the error is proof. */
export function writeError(error: unknown): GalleyError {
  if (error instanceof GalleyError) {
    return error.details.outcome === undefined ? error.with({ outcome: "unknown" }) : error;
  }
  // mongod runs out of space before the write is in its log, so the refusal is proof.
  if (codeOf(error) === CODES.outOfDiskSpace) {
    return new GalleyError("storage_full", "the database has no space left", { outcome: "not_applied" }, error);
  }
  return failure(error).with({ outcome: provesNothingDone(error) ? "not_applied" : "unknown" });
}

function failure(error: unknown): GalleyError {
  return new GalleyError(...faceOf(error), {}, error);
}

function faceOf(error: unknown): [code: ErrorCode, message: string] {
  if (error instanceof TimeIsUp) return ["unavailable", "the database does not answer at the moment"];
  if (isGone(error)) return ["unavailable", "the database cannot be reached at the moment"];
  const code = codeOf(error);
  if (error instanceof MongoWriteConcernError || (code !== undefined && PASSING.has(code))) {
    return ["unavailable", "the database does not confirm at the moment"];
  }
  if (code === CODES.cappedCollection) {
    return [
      "failed_precondition",
      "the collection is a capped one, of which no position can be read: copy it into a plain one",
    ];
  }
  // Anything else of the driver's own (a closed client, a pool that is exhausted) passes; a refusal of mongod is a defect.
  return error instanceof MongoError && code === undefined
    ? ["unavailable", "the database cannot be used at the moment"]
    : ["internal", "the store failed"];
}

/** Whether a sort failed because a document has two arrays on its paths. */
export function isParallelArrays(error: unknown): boolean {
  return error instanceof MongoServerError && error.message.includes("keys that are parallel arrays");
}

/** Whether a read named an index that is not there. */
export function isMissingHint(error: unknown): boolean {
  return error instanceof MongoServerError && error.message.includes("hint provided does not correspond");
}
