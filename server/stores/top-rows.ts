import type { SortKey } from "#protocol/ast";
import type { Key } from "#protocol/compare";
import { compareKeys } from "#protocol/sort";
import type { Row } from "./document-store.ts";

interface Entry {
  readonly key: readonly Key[];
  readonly row: Row;
}

/** Keeps the first `size` rows of a sort, however many come: a heap with the last of them on top. */
export class TopRows {
  readonly #sort: readonly SortKey[];
  readonly #size: number;
  readonly #heap: Entry[] = [];
  /** Characters of the texts held. */
  characters = 0;

  constructor(sort: readonly SortKey[], size: number) {
    this.#sort = sort;
    this.#size = size;
  }

  add(key: readonly Key[], row: Row): void {
    const [last] = this.#heap;
    if (last && this.#heap.length === this.#size) {
      if (compareKeys(this.#sort, key, last.key) >= 0) return;
      this.characters += row.text.length - last.row.text.length;
      this.#heap[0] = { key, row };
      this.#sink();
    } else {
      this.characters += row.text.length;
      this.#heap.push({ key, row });
      this.#rise();
    }
  }

  /** The rows, in order. */
  rows(): Row[] {
    return this.#heap.toSorted((a, b) => compareKeys(this.#sort, a.key, b.key)).map(({ row }) => row);
  }

  #after(i: number, j: number): boolean {
    const a = this.#heap[i];
    const b = this.#heap[j];
    return a !== undefined && b !== undefined && compareKeys(this.#sort, a.key, b.key) > 0;
  }

  #swap(i: number, j: number): void {
    const a = this.#heap[i] as Entry;
    this.#heap[i] = this.#heap[j] as Entry;
    this.#heap[j] = a;
  }

  #rise(): void {
    for (let i = this.#heap.length - 1; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (!this.#after(i, parent)) return;
      this.#swap(i, parent);
      i = parent;
    }
  }

  #sink(): void {
    for (let i = 0; ; ) {
      let last = i;
      if (this.#after(2 * i + 1, last)) last = 2 * i + 1;
      if (this.#after(2 * i + 2, last)) last = 2 * i + 2;
      if (last === i) return;
      this.#swap(i, last);
      i = last;
    }
  }
}
