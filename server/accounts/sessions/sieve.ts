/** What a {@link Sieve} keeps: `asked` is its note of whether somebody has asked for it of late. */
export interface Sifted {
  asked: boolean;
}

/**
 * A map of bounded size that forgets what was not asked for of late (SIEVE: Zhang and others, NSDI 2024). Who asks only
 * notes that on the entry, so nothing is moved. Where room is needed, a hand goes on from where it stopped: it takes the
 * note off those that it passes, and the first one without it is forgotten.
 */
export class Sieve<K, V extends Sifted> {
  readonly #most: number;
  readonly #forgotten: (value: V) => void;
  readonly #entries = new Map<K, V>();
  /** A map's iterator also meets what is set after it was made. */
  #hand = this.#entries.entries();

  /** @param forgotten told of each entry that goes to make room */
  constructor(most: number, forgotten: (value: V) => void = () => {}) {
    this.#most = most;
    this.#forgotten = forgotten;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: K): V | undefined {
    const value = this.#entries.get(key);
    if (value && !value.asked) value.asked = true;
    return value;
  }

  set(key: K, value: V): void {
    if (this.#entries.size >= this.#most && !this.#entries.has(key)) this.#makeRoom();
    this.#entries.set(key, value);
  }

  values(): IterableIterator<V> {
    return this.#entries.values();
  }

  #makeRoom(): void {
    for (;;) {
      const { done, value: entry } = this.#hand.next();
      if (done) {
        this.#hand = this.#entries.entries();
        continue;
      }
      const [key, value] = entry;
      if (value.asked) value.asked = false;
      else {
        this.#entries.delete(key);
        this.#forgotten(value);
        return;
      }
    }
  }
}
