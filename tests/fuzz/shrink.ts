/** JSON in which nothing is shared, so that one place can be replaced. */
type Json = unknown;
type Place = readonly (string | number)[];

/** How many smaller cases are tried before the best one so far is given. */
const MOST_TRIALS = 4000;

/**
 * Makes a failing input small, whatever it is: lists lose halves, then quarters, then single items; objects lose members;
 * a value gives way to one inside it, then to the plainest one. `fails` must refuse what is no longer a valid input.
 */
export async function shrink(input: Json, fails: (candidate: Json) => Promise<boolean>): Promise<Json> {
  const shrinker = new Shrinker(input, fails);
  let before: Json;
  do {
    before = shrinker.best;
    await shrinker.visit([]);
  } while (before !== shrinker.best);
  return shrinker.best;
}

class Shrinker {
  best: Json;
  readonly #fails: (candidate: Json) => Promise<boolean>;
  #trials = 0;

  constructor(input: Json, fails: (candidate: Json) => Promise<boolean>) {
    this.best = input;
    this.#fails = fails;
  }

  async visit(place: Place): Promise<void> {
    if (Array.isArray(valueAt(this.best, place))) await this.#dropItems(place);
    else await this.#dropMembers(place);
    const value = valueAt(this.best, place);
    for (const key of keysOf(value)) {
      // A list may have become shorter, and a member may have gone, since the keys were read.
      if (keysOf(valueAt(this.best, place)).includes(key)) await this.visit([...place, key]);
    }
    if (place.length > 0) await this.#replace(place);
  }

  async #dropItems(place: Place): Promise<void> {
    let items = valueAt(this.best, place) as readonly Json[];
    for (let size = Math.ceil(items.length / 2); size > 0; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let start = 0; start < items.length; ) {
        const fewer = [...items.slice(0, start), ...items.slice(start + size)];
        if (await this.#adopt(place, fewer)) items = fewer;
        else start += size;
      }
    }
  }

  async #dropMembers(place: Place): Promise<void> {
    for (const key of keysOf(valueAt(this.best, place))) {
      const { [key]: _, ...fewer } = valueAt(this.best, place) as Record<string, Json>;
      await this.#adopt(place, fewer);
    }
  }

  async #replace(place: Place): Promise<void> {
    const value = valueAt(this.best, place);
    const inner = keysOf(value).map((key) => (value as Record<string | number, Json>)[key]);
    const inmost = inner.flatMap((child) => keysOf(child).map((key) => (child as Record<string | number, Json>)[key]));
    const plain = value === null || value === 1 ? [] : [null, 1];
    for (const candidate of [...inner, ...inmost, ...plain]) {
      if (candidate !== value && (await this.#adopt(place, candidate))) return;
    }
  }

  async #adopt(place: Place, value: Json): Promise<boolean> {
    if (this.#trials >= MOST_TRIALS) return false;
    this.#trials++;
    const candidate = replaced(this.best, place, value);
    if (!(await this.#fails(candidate))) return false;
    this.best = candidate;
    return true;
  }
}

function keysOf(value: Json): (string | number)[] {
  if (Array.isArray(value)) return [...value.keys()];
  return typeof value === "object" && value !== null ? Object.keys(value) : [];
}

function valueAt(root: Json, place: Place): Json {
  return place.reduce<Json>((value, key) => (value as Record<string | number, Json>)[key], root);
}

function replaced(root: Json, [key, ...rest]: Place, value: Json): Json {
  if (key === undefined) return value;
  if (Array.isArray(root)) return root.map((item, i) => (i === key ? replaced(item, rest, value) : item));
  const object = root as Record<string, Json>;
  return { ...object, [key]: replaced(object[key], rest, value) };
}
