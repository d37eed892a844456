import type { Found } from "./compare.ts";
import { compare, MISSING } from "./compare.ts";
import { GalleyError } from "./errors.ts";
import { normalNumbers } from "./normal-numbers.ts";
import type { Path } from "./paths.ts";
import { someValue } from "./paths.ts";
import type { ObjectValue, Value } from "./values.ts";
import { encodeValue } from "./values.ts";

/** Characters of the texts of values held. MongoDB bounds a `distinct` reply alike, at 16 MiB. */
const HELD_CHARACTERS = 16 * 1024 * 1024;

/**
 * Gathers the least `max` values that a path yields over documents; query-language.md 5.4. Holds at most twice as many
 * at a time: each time that many have come, the greater half is let go.
 */
export class DistinctValues {
  readonly #path: Path;
  readonly #max: number;
  /** By canonical text: values with normal numbers are equal exactly if their texts are. */
  readonly #values = new Map<string, Value>();
  #characters = 0;
  /** Once values were let go: the greatest of those kept. Nothing above it can be among the least any more. */
  #bound: Value | undefined;

  constructor(path: Path, max: number) {
    this.#path = path;
    this.#max = max;
  }

  /** @throws GalleyError `query_too_expensive` if the values together are too large to hold */
  add(document: ObjectValue): void {
    // Not opened by the iterator, so that an array comes as one and is told from an element that is an array.
    someValue(document, this.#path, false, (found) => {
      if (Array.isArray(found)) for (const element of found as readonly Value[]) this.#addValue(element);
      else this.#addValue(found);
      return false;
    });
  }

  /** The values in order, and whether there were more than `max`. */
  result(): { values: Value[]; more: boolean } {
    this.#compact();
    return { values: [...this.#values.values()].sort(compare), more: this.#bound !== undefined };
  }

  #addValue(found: Found): void {
    if (found === MISSING) return;
    if (this.#bound !== undefined && compare(found, this.#bound) >= 0) return;
    const value = normalNumbers(found);
    const text = encodeValue(value);
    if (this.#values.has(text)) return;
    this.#values.set(text, value);
    this.#characters += text.length;
    if (this.#values.size >= 2 * this.#max || this.#characters > HELD_CHARACTERS) this.#compact();
    if (this.#characters > HELD_CHARACTERS) {
      throw new GalleyError(
        "query_too_expensive",
        `the distinct values of ${this.#path.join(".")} are together over ${HELD_CHARACTERS} characters: narrow the filter`,
      );
    }
  }

  /** Keeps the least `max`. */
  #compact(): void {
    if (this.#values.size <= this.#max) return;
    const entries = [...this.#values].sort(([, a], [, b]) => compare(a, b));
    for (const [text] of entries.splice(this.#max)) {
      this.#values.delete(text);
      this.#characters -= text.length;
    }
    this.#bound = entries.at(-1)?.[1];
  }
}
