import { FALSE, type Node, TRUE } from "#protocol/ast";
import { Faults } from "#protocol/errors";
import { parseFilter } from "#protocol/filter";
import { freezeValue } from "#protocol/freeze";
import type { Path } from "#protocol/paths";
import type { Document, ObjectValue, Value } from "#protocol/values";
import { createMasks, type Masks } from "../../server/access/masks/masks.ts";
import type { BoundField } from "../../server/access/rule-tree.ts";

export const DATE = new Date("2026-01-31T10:00:00Z");
export const SERVER = { _id: "d1", _v: 7, _createdAt: DATE, _updatedAt: DATE };

export interface Mask {
  readonly read?: unknown;
  readonly write?: unknown;
  readonly immutable?: boolean;
  readonly default?: Value;
}

function filterOf(rule: unknown): Node {
  if (typeof rule === "boolean") return rule ? TRUE : FALSE;
  const faults = new Faults();
  const node = parseFilter(rule, "read", faults);
  faults.throwIfAny();
  return node;
}

/** Masks by their paths. */
export function masksOf(fields: Readonly<Record<string, Mask>>): Masks {
  return createMasks(
    Object.entries(fields).map(
      ([path, mask]): BoundField => ({
        path: path.split("."),
        read: filterOf(mask.read ?? true),
        write: mask.write === undefined ? undefined : filterOf(mask.write),
        immutable: mask.immutable ?? false,
        default: mask.default,
      }),
    ),
  );
}

/** A stored document, frozen. */
export function stored(fields: ObjectValue): Document {
  return freezeValue({ ...SERVER, ...fields }) as Document;
}

/** Without server fields. */
export function own({ _id, _v, _createdAt, _updatedAt, ...fields }: ObjectValue): ObjectValue {
  return fields;
}

export function paths(...texts: string[]): Path[] {
  return texts.map((text) => text.split("."));
}

/** What a PUT leaves, or the path that denies it, in the order that masks.ts writes down. */
export function put(masks: Masks, before: Document, sent: ObjectValue): ObjectValue | string {
  const next = masks.keep(before, freezeValue(sent) as ObjectValue);
  return masks.denied(before, next, sent) ?? next;
}
