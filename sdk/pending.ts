import { ApiError } from "./error.ts";
import type { Operation } from "./operations.ts";
import { Faults, GalleyError } from "./protocol/errors.ts";
import { applyUpdate, parseUpdate } from "./protocol/update.ts";
import { type ObjectValue, parseText } from "./protocol/values.ts";
import type { Json } from "./types/document.ts";

/**
 * A document as a transaction's own writes leave it, by the update language itself. Loaded only when a transaction
 * reads what it has written.
 *
 * @throws ApiError as the batch will: `not_found`, `path_conflict`, `invalid_argument` …
 */
export function withWrites(base: Json | null, writes: readonly Operation[], now = new Date()): Json | null {
  try {
    return writes.reduce<Json | null>((document, write) => applied(document, write, now), base);
  } catch (error) {
    if (!(error instanceof GalleyError)) throw error;
    const { code, message, details } = error;
    throw new ApiError(code, message, { details: { ...details, outcome: "not_applied" }, cause: error });
  }
}

function applied(document: Json | null, { op, id, content = "{}", upsert }: Operation, now: Date): Json | null {
  if (op === "check") return document;
  const server = { _id: id, _v: document?._v ?? 0, _createdAt: document?._createdAt ?? now, _updatedAt: now };
  if (op === "create" || op === "set") return { ...(parseText(content) as ObjectValue), ...server };
  if (!document && !upsert) throw new GalleyError("not_found", `there is no document ${JSON.stringify(id)} to ${op}`);
  if (op === "delete") return null;
  const faults = new Faults();
  const update = parseUpdate(JSON.parse(content), "update", faults);
  faults.throwIfAny();
  const before = (document ?? {}) as ObjectValue;
  return { ...applyUpdate(update, before, { now, inserting: !document }), ...server };
}
