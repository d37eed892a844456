/** Frames that many sockets are sent: each is read once, and known again by its bytes. */
export class KnownFrames<T> {
  readonly #read: (text: string) => T;
  readonly #known: { readonly bytes: Buffer; readonly found: T }[] = [];
  #at = 0;
  #oldest = 0;

  /** @param read what is to be known of a frame */
  constructor(read: (text: string) => T) {
    this.#read = read;
  }

  of(bytes: Buffer, start: number, end: number): T {
    const known = this.#known;
    // Each socket is sent the same in the same order.
    for (let i = 0; i < known.length; i++) {
      const place = (this.#at + i) % known.length;
      const one = known[place] as (typeof known)[number];
      if (one.bytes.length !== end - start || one.bytes.compare(bytes, start, end) !== 0) continue;
      this.#at = place;
      return one.found;
    }
    const copy = Buffer.from(bytes.subarray(start, end));
    const found = this.#read(copy.toString());
    this.#at = this.#oldest;
    this.#oldest = (this.#oldest + 1) % MOST;
    known[this.#at] = { bytes: copy, found };
    return found;
  }
}

const MOST = 64;
