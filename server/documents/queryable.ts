import { GalleyError } from "#protocol/errors";
import type { Path } from "#protocol/paths";
import type { Scope } from "../access/authorize.ts";
import { settled } from "./judgement.ts";

/** An error of the store as the caller may be told it: an index on what they may not read is not named. */
export async function discreet(scope: Scope, error: unknown): Promise<unknown> {
  if (scope.exempt || !(error instanceof GalleyError) || error.details.index === undefined) return error;
  const { index, ...details } = error.details;
  const paths = index.paths.map((path) => path.replace(/^-/, "").split("."));
  const told = await settled(scope, () => paths.every((path) => scope.masks.queryable(path))).catch(() => false);
  if (told) return error;
  const message =
    error.code === "unique_violation"
      ? "another document has the same value in a field that is unique"
      : "an index cannot hold the document";
  return new GalleyError(error.code, message, details);
}

/**
 * Demands that a question touches nothing that is hidden from its caller in some document: its answer would tell about it
 * (access-rules.md 6.5).
 * @throws GalleyError `field_not_queryable`; Unsettled
 */
export function demandQueryable({ masks }: Pick<Scope, "masks">, paths: readonly Path[]): void {
  if (masks.none) return;
  const path = paths.find((asked) => !masks.queryable(asked));
  if (!path) return;
  const message = `${path.join(".")}: the access rules do not allow questions about this field`;
  throw new GalleyError("field_not_queryable", message);
}
