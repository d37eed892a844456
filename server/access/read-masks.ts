import type { Node } from "#protocol/ast";
import { canonicalKey } from "#protocol/canonical";
import { createMasks, type Masks, NO_MASKS } from "./masks/masks.ts";
import { bindRule, type Caller } from "./rule-binder.ts";
import type { CollectionRules } from "./rule-tree.ts";

/** What hides fields from a reader: masks without what only writes ask for. */
export interface ReadMasks {
  readonly masks: Masks;
  /** Canonical text of what decides: equal keys hide the same. */
  readonly key: string;
}

export const NO_READ_MASKS: ReadMasks = Object.freeze({ masks: NO_MASKS, key: "" });

/** Bound forms kept of one collection; then they are made anew. */
const MOST_KEPT = 1000;
const kept = new WeakMap<CollectionRules, Map<string, ReadMasks>>();
const keys = new WeakMap<Node, string>();

/** The field masks of a collection for one who reads. @throws Unsettled */
export function bindReadMasks(collection: CollectionRules, caller: Caller): ReadMasks {
  const bound = collection.fields.map(({ path, read }) => ({ path, read: bindRule(read, caller, true).filter }));
  const hiding = bound.filter(({ read }) => read.kind !== "true");
  if (hiding.length === 0) return NO_READ_MASKS;
  const key = JSON.stringify(hiding.map(({ path, read }) => [path.join("."), keyOf(read)]));
  const held = kept.get(collection) ?? new Map<string, ReadMasks>();
  kept.set(collection, held);
  const known = held.get(key);
  if (known) return known;
  const fields = hiding.map((field) => ({ ...field, write: undefined, immutable: false, default: undefined }));
  const made = { masks: createMasks(fields), key };
  if (held.size >= MOST_KEPT) held.clear();
  held.set(key, made);
  return made;
}

function keyOf(node: Node): string {
  const known = keys.get(node) ?? canonicalKey(node);
  keys.set(node, known);
  return known;
}
