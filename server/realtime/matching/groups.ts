/** Items by key, many of which have a key to themselves: those cost no set. */
export class Groups<K, E extends object> {
  readonly #map = new Map<K, E | Set<E>>();

  /** Keys that have items. */
  get size(): number {
    return this.#map.size;
  }

  add(key: K, item: E): void {
    const there = this.#map.get(key);
    if (there === undefined || there === item) this.#map.set(key, item);
    else if (there instanceof Set) there.add(item);
    else this.#map.set(key, new Set([there, item]));
  }

  remove(key: K, item: E): void {
    const there = this.#map.get(key);
    if (there === item) this.#map.delete(key);
    else if (there instanceof Set) {
      there.delete(item);
      if (there.size === 0) this.#map.delete(key);
    }
  }

  count(key: K): number {
    const there = this.#map.get(key);
    if (there === undefined) return 0;
    return there instanceof Set ? there.size : 1;
  }

  each(key: K, visit: (item: E) => void): void {
    const there = this.#map.get(key);
    if (there === undefined) return;
    if (there instanceof Set) there.forEach(visit);
    else visit(there);
  }
}
