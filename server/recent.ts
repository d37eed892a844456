/**
 * A map that forgets what was not asked for of late, and so never grows beyond twice `size` entries. Two generations in
 * turn: cheaper than keeping the order of use, and it forgets almost as well.
 */
export class Recent<K, V> {
  readonly #size: number;
  #young = new Map<K, V>();
  #old = new Map<K, V>();

  constructor(size: number) {
    this.#size = size;
  }

  get(key: K): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: K, value: V): void {
    if (this.#young.size >= this.#size) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }
}

/** As {@link Recent}, by two objects, neither of which it keeps alive. */
export class RecentPairs<A extends object, B extends object, V> {
  readonly #size: number;
  #young = new WeakMap<A, WeakMap<B, V>>();
  #old = new WeakMap<A, WeakMap<B, V>>();
  #count = 0;

  constructor(size: number) {
    this.#size = size;
  }

  get(a: A, b: B): V | undefined {
    const young = this.#young.get(a)?.get(b);
    if (young !== undefined) return young;
    const old = this.#old.get(a)?.get(b);
    if (old !== undefined) this.set(a, b, old);
    return old;
  }

  set(a: A, b: B, value: V): void {
    if (this.#count >= this.#size) {
      this.#old = this.#young;
      this.#young = new WeakMap();
      this.#count = 0;
    }
    let beside = this.#young.get(a);
    if (!beside) {
      beside = new WeakMap();
      this.#young.set(a, beside);
    }
    beside.set(b, value);
    this.#count++;
  }
}
