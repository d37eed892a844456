import type { Operation } from "./operations.ts";
import { Faults, GalleyError } from "./protocol/errors.ts";
import { applyUpdate, parseUpdate } from "./protocol/update.ts";
import { type ObjectValue, parseText } from "./protocol/values.ts";
import type { Doc, Json } from "./types/document.ts";

/**
 * A document as a transaction's own writes leave it, by the update language itself. Loaded when a transaction reads
 * what it has written.
 *
 * @throws GalleyError as the batch will: `not_found`, `path_conflict`, `invalid_argument` …
 */
export function withWrites(base: Doc<Json> | null, writes: readonly Operation[], now = new Date()): Doc<Json> | null {
  return writes.reduce<Doc<Json> | null>((document, write) => applied(document, write, now), base);
}

function applied(document: Doc<Json> | null, write: Operation, now: Date): Doc<Json> | null {
  const { op, id, content = "{}", upsert } = write;
  if (op === "check") return document;
  const { _v = 0, _createdAt = now } = document ?? {};
  const server = { _id: id, _v, _createdAt, _updatedAt: now };
  if (op === "create" || op === "set") return { ...(parseText(content) as ObjectValue), ...server };
  if (!document && !upsert) throw new GalleyError("not_found", `there is no document ${JSON.stringify(id)} to ${op}`);
  if (op === "delete") return null;
  const faults = new Faults();
  const update = parseUpdate(JSON.parse(content), "update", faults);
  faults.throwIfAny();
  return { ...applyUpdate(update, (document ?? {}) as ObjectValue, { now, inserting: !document }), ...server };
}
