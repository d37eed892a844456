import { type Found, MISSING } from "#protocol/compare";
import { own, type Path } from "#protocol/paths";
import { isObjectValue, type ObjectValue, type Value } from "#protocol/values";
import type { Cover } from "./mask-cover.ts";
import { valueWithoutCovered } from "./mask-hiding.ts";
import { sameValue } from "./same-value.ts";

/** The first place, covered, where `before` and `next` differ. Elements of arrays are compared by their index. */
export function changedPlace(before: Found, next: Found, cover: Cover, at: Path = []): Path | undefined {
  if (before === next) return undefined;
  if (cover.whole) return sameValue(before, next) ? undefined : at;
  const arrays = [before, next].filter((side) => side !== MISSING && Array.isArray(side)) as (readonly Value[])[];
  const length = Math.max(0, ...arrays.map((array) => array.length));
  for (let i = 0; i < length; i++) {
    const place = changedPlace(elementOf(before, i), elementOf(next, i), cover.element(i), [...at, String(i)]);
    if (place) return place;
  }
  for (const [key, beneath] of cover.keys) {
    const place = changedPlace(memberOf(before, key), memberOf(next, key), beneath, [...at, key]);
    if (place) return place;
  }
  return undefined;
}

/** The first member, covered, that an object states, through objects. */
export function statedPlace(fields: ObjectValue, cover: Cover, at: Path = []): Path | undefined {
  for (const [key, beneath] of cover.keys) {
    const found = own(fields, key);
    if (found === MISSING) continue;
    if (beneath.whole) return [...at, key];
    const place = isObjectValue(found) ? statedPlace(found, beneath, [...at, key]) : undefined;
    if (place) return place;
  }
  return undefined;
}

/**
 * The first container with a place for something covered that a replacement does not leave a container: an object must
 * stay one, an array must stay as it is, and be left out of what was sent or stand there without what is covered. Asks for
 * the place and not for what stands there, and never for a right guess: whether a replacement is allowed does not tell.
 */
export function lostContainer(
  before: ObjectValue,
  next: ObjectValue,
  sent: Found,
  cover: Cover,
  at: Path = [],
): Path | undefined {
  for (const [key, beneath] of cover.keys) {
    const stored = own(before, key);
    if (stored === MISSING || beneath.whole) continue;
    const left = own(next, key);
    const given = memberOf(sent, key);
    const here = [...at, key];
    if (Array.isArray(stored)) {
      const asSeen = given === MISSING || sameValue(valueWithoutCovered(stored, beneath), given);
      if (mayHold(stored, beneath) && !(asSeen && sameValue(stored, left))) return here;
    } else if (isObjectValue(stored)) {
      if (left === MISSING || !isObjectValue(left)) return here;
      const place = lostContainer(stored, left, given, beneath, here);
      if (place) return place;
    }
  }
  return undefined;
}

function mayHold(array: readonly Value[], cover: Cover): boolean {
  return array.some((element, i) => cover.element(i).whole || Array.isArray(element) || isObjectValue(element));
}

function memberOf(value: Found, key: string): Found {
  return value !== MISSING && isObjectValue(value) ? own(value, key) : MISSING;
}

function elementOf(value: Found, index: number): Found {
  return value !== MISSING && Array.isArray(value) && index < value.length ? (value[index] as Value) : MISSING;
}
