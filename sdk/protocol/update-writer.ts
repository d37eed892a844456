import { type Found, MISSING } from "./compare.ts";
import { GalleyError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import { compileElement } from "./match.ts";
import { isNumericSegment, own } from "./paths.ts";
import type { Elements, Segment, WritePath } from "./update-ast.ts";
import { type ConflictReason, type PlaceEffect, pathConflict } from "./update-effects.ts";
import { isObjectValue, type ObjectValue, type Value } from "./values.ts";

/** How one change goes along its path. */
export interface Walk {
  readonly operator: string;
  readonly path: WritePath;
  readonly effect: PlaceEffect;
  /** Where the path ends at a scalar: nothing is done, instead of an error. */
  readonly tolerant?: boolean;
  /** Whether an array on the way is an error. */
  readonly objectsOnly?: boolean;
}

/**
 * Writes places of one document. Containers on a path are copied once and then changed in the copy; the rest is shared
 * with the document given, which never changes. Whatever depends on what is stored (which elements a filter accepts, how
 * long an array is) is asked of the document as given, so that the order of writes does not matter.
 */
export class Writer {
  readonly #original: ObjectValue;
  #document: ObjectValue;
  /** Containers made here, which may be changed in place. */
  readonly #copies = new Set<object>();
  readonly #verdicts = new Map<Elements, Map<readonly Value[], readonly boolean[]>>();
  #visited = 0;

  constructor(document: ObjectValue) {
    this.#original = document;
    this.#document = document;
  }

  get document(): ObjectValue {
    return this.#document;
  }

  /** Whether some write went to several elements, or padded an array: the result may be much larger than the update. */
  get multiplied(): boolean {
    return this.#visited > 0;
  }

  /** @throws GalleyError `path_conflict`, or `invalid_argument` if it would visit too many elements */
  write(walk: Walk): void {
    this.#document = this.#place(walk, this.#document, this.#original, 0) as ObjectValue;
  }

  #place(walk: Walk, found: Found, original: Found, depth: number): Found {
    const segment = walk.path.segments[depth];
    if (segment === undefined) return walk.effect(found);
    if (typeof segment !== "string") return this.#elements(walk, segment, found, original, depth);
    if (found === MISSING) return this.#created(walk, segment, depth);
    if (isObjectValue(found)) return this.#key(walk, segment, found, original, depth);
    if (Array.isArray(found) && !walk.objectsOnly && isNumericSegment(segment)) {
      return this.#index(walk, Number(segment), found, original, depth);
    }
    if (walk.tolerant) return found;
    throw conflict(walk, "not_an_object");
  }

  #created(walk: Walk, segment: string, depth: number): Found {
    const inner = this.#place(walk, MISSING, MISSING, depth + 1);
    if (inner === MISSING) return MISSING;
    const object = { [segment]: inner };
    this.#copies.add(object);
    return object;
  }

  #key(walk: Walk, key: string, object: ObjectValue, original: Found, depth: number): ObjectValue {
    const before = own(object, key);
    const stored = original !== MISSING && isObjectValue(original) ? own(original, key) : MISSING;
    const after = this.#place(walk, before, stored, depth + 1);
    if (after === before) return object;
    const copy = this.#copyOf(object, (source) => ({ ...source }));
    if (after === MISSING) delete copy[key];
    else copy[key] = after;
    return copy;
  }

  #index(walk: Walk, index: number, array: readonly Value[], original: Found, depth: number): readonly Value[] {
    const stored = Array.isArray(original) ? (original as readonly Value[]) : [];
    if (index < stored.length) return this.#element(walk, index, array, stored, depth);
    // Beyond the stored end a null is only what an earlier write padded with: nothing stands there yet.
    const before = array[index] ?? MISSING;
    const after = this.#place(walk, before, MISSING, depth + 1);
    if (after === before) return array;
    if (index - stored.length > LIMITS.arrayGap) throw conflict(walk, "gap_too_large");
    const copy = this.#copyOf(array, (source) => [...source]);
    this.#visit(Math.max(0, index - copy.length));
    while (copy.length < index) copy.push(null);
    copy[index] = after as Value;
    return copy;
  }

  #element(
    walk: Walk,
    index: number,
    array: readonly Value[],
    stored: readonly Value[],
    depth: number,
  ): readonly Value[] {
    const before = array[index] as Value;
    const after = this.#place(walk, before, stored[index] as Value, depth + 1);
    if (after === before) return array;
    const copy = this.#copyOf(array, (source) => [...source]);
    // An element that goes leaves a null behind, so that the others keep their index.
    copy[index] = after === MISSING ? null : after;
    return copy;
  }

  /** `$[]` and `$[x]`: the stored elements, never those that this update adds. */
  #elements(walk: Walk, elements: Elements, found: Found, original: Found, depth: number): Found {
    if (original === MISSING) return found;
    if (!Array.isArray(original)) throw conflict(walk, "not_an_array");
    const stored = original as readonly Value[];
    this.#visit(stored.length);
    const accepted = elements.kind === "every" ? undefined : this.#accepted(elements, stored);
    let array = found as readonly Value[];
    for (let i = 0; i < stored.length; i++) {
      if (!accepted || accepted[i]) array = this.#element(walk, i, array, stored, depth);
    }
    return array;
  }

  #accepted(elements: Elements & { kind: "accepted" }, stored: readonly Value[]): readonly boolean[] {
    const known = this.#verdicts.get(elements) ?? new Map<readonly Value[], readonly boolean[]>();
    this.#verdicts.set(elements, known);
    const verdicts = known.get(stored) ?? stored.map(compileElement(elements.of));
    known.set(stored, verdicts);
    return verdicts;
  }

  #copyOf<Source extends object, Copy extends Source>(source: Source, copy: (source: Source) => Copy): Copy {
    if (this.#copies.has(source)) return source as Copy;
    const made = copy(source);
    this.#copies.add(made);
    return made;
  }

  /** Bounds time and memory: every `$[]` multiplies, and 256 paths may hold several each. */
  #visit(elements: number): void {
    this.#visited += elements;
    if (this.#visited <= LIMITS.updateElements) return;
    const message = `The update touches more than ${LIMITS.updateElements} array elements; split it into several.`;
    throw new GalleyError("invalid_argument", message, {
      faults: [{ path: "update", code: "too_many_values", message }],
    });
  }
}

function conflict(walk: Walk, reason: ConflictReason): GalleyError {
  return pathConflict(walk.operator, walk.path.text, reason);
}

/** What stands at a path through objects only; `MISSING` behind anything but an object or an array. */
export function through(document: ObjectValue, segments: readonly Segment[], onArray: () => never): Found {
  let found: Found = document;
  for (const segment of segments) {
    if (Array.isArray(found)) onArray();
    found = found !== MISSING && isObjectValue(found) ? own(found, segment as string) : MISSING;
  }
  return found;
}
