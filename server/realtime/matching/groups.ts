import { countItems, eachItem, type Items, withItem, withoutItem } from "./items.ts";

/** Items by key. */
export class Groups<K, E extends object> {
  readonly #map = new Map<K, Items<E>>();

  /** Keys that have items. */
  get size(): number {
    return this.#map.size;
  }

  add(key: K, item: E): void {
    this.#map.set(key, withItem(this.#map.get(key), item));
  }

  remove(key: K, item: E): void {
    const there = this.#map.get(key);
    if (there === undefined) return;
    const left = withoutItem(there, item);
    if (left === undefined) this.#map.delete(key);
  }

  count(key: K): number {
    return countItems(this.#map.get(key));
  }

  each(key: K, visit: (item: E) => void): void {
    const there = this.#map.get(key);
    if (there !== undefined) eachItem(there, visit);
  }
}
