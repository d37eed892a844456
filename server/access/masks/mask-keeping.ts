import { type Found, MISSING } from "#protocol/compare";
import { own } from "#protocol/paths";
import { isObjectValue, type ObjectValue, type Value } from "#protocol/values";
import type { Cover } from "./mask-cover.ts";
import { put, valueWithoutCovered } from "./mask-hiding.ts";
import { sameValue } from "./same-value.ts";

/**
 * What is put back of what a replacement leaves out.
 * - `unseen`: covered is what the caller may not read. The objects that lead to it are put back whether or not they hold
 *   something covered, so that what becomes of them does not tell. An array is put back whole if it is given as the
 *   caller sees it; otherwise its elements cannot be told from each other, and it is left as it is given.
 * - `seen`: only what is covered and there is put back. Arrays stay as they are given.
 */
type Kind = "unseen" | "seen";

/** `next` with what it leaves out of what is covered in `before`, in its stored place among the others. */
export function keepCovered(before: ObjectValue, next: ObjectValue, cover: Cover, kind: Kind): ObjectValue {
  const kept = new Map<string, Value>();
  for (const [key, beneath] of cover.keys) {
    const stored = own(before, key);
    const given = own(next, key);
    if (stored === MISSING) continue;
    const value = given === MISSING ? coveredOf(stored, beneath, kind) : keepIn(stored, given, beneath, kind);
    if (value !== MISSING && value !== given) kept.set(key, value);
  }
  return kept.size === 0 ? next : merged(before, next, kept);
}

function keepIn(stored: Value, given: Value, cover: Cover, kind: Kind): Value {
  if (cover.whole) return given;
  if (isObjectValue(stored) && isObjectValue(given)) return keepCovered(stored, given, cover, kind);
  const asSeen =
    kind === "unseen" &&
    Array.isArray(stored) &&
    Array.isArray(given) &&
    sameValue(valueWithoutCovered(stored, cover), given);
  return asSeen ? stored : given;
}

/** The covered part of what a replacement leaves out altogether. */
function coveredOf(stored: Value, cover: Cover, kind: Kind): Found {
  if (cover.whole) return stored;
  if (!isObjectValue(stored)) return MISSING;
  const part: Record<string, Value> = {};
  for (const key of Object.keys(stored)) {
    const beneath = cover.keys.get(key);
    const value = beneath ? coveredOf(stored[key] as Value, beneath, kind) : MISSING;
    if (value !== MISSING) put(part, key, value);
  }
  return kind === "unseen" || Object.keys(part).length > 0 ? part : MISSING;
}

/** Key order is data: what is put back stands behind the member that it is stored behind. */
function merged(before: ObjectValue, next: ObjectValue, kept: ReadonlyMap<string, Value>): ObjectValue {
  const out: Record<string, Value> = {};
  const behind = new Map<string, string[]>();
  let last: string | undefined;
  for (const key of Object.keys(before)) {
    if (Object.hasOwn(next, key)) last = key;
    else if (!kept.has(key)) continue;
    else if (last === undefined) put(out, key, kept.get(key) as Value);
    else behind.set(last, [...(behind.get(last) ?? []), key]);
  }
  for (const key of Object.keys(next)) {
    put(out, key, kept.has(key) ? (kept.get(key) as Value) : (next[key] as Value));
    for (const follower of behind.get(key) ?? []) put(out, follower, kept.get(follower) as Value);
  }
  return out;
}
