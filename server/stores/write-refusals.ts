import { GalleyError } from "#protocol/errors";
import type { Unfit } from "./index-rows.ts";

/** What every engine says of a write that it refuses, in the same words. */

export function versionConflict(collection: string, id: string): GalleyError {
  return new GalleyError("version_conflict", `${collection}/${id} has another version than the one expected`);
}

export function unknownCollection(collection: string): GalleyError {
  const message = `there is no collection ${JSON.stringify(collection)}`;
  return new GalleyError("not_found", message, { reason: "unknown_collection" });
}

export function uniqueViolation(paths: readonly string[]): GalleyError {
  const message = `another document has the same ${paths.join(", ")}, which is unique`;
  return new GalleyError("unique_violation", message, { index: { paths } });
}

export function unfitFor(paths: readonly string[], reason: Unfit): GalleyError {
  const what = reason === "parallel_arrays" ? "two arrays side by side" : "a key that is too long";
  const message = `the index on ${paths.join(", ")} cannot hold the document: it has ${what} there`;
  return new GalleyError("schema_violation", message, { reason, index: { paths } });
}
