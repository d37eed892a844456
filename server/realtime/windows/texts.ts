/** What an entry takes in memory beside its text, about. */
const ENTRY = 150;

/**
 * Texts of documents as they are shown, under one budget for all windows of a node: the least recently sent go first. A
 * window's list keeps none; what is missing is read again. Stored texts stand under their collection; one that hides or
 * leaves out something stands under the window it was made for.
 */
export class Texts {
  readonly #budget: number;
  /** In the order in which they were last sent. */
  readonly #texts = new Map<string, string>();
  #held = 0;

  /** @param budget characters */
  constructor(budget: number) {
    this.#budget = budget;
  }

  /** Characters held, what entries cost beside their texts included. */
  get size(): number {
    return this.#held;
  }

  has(owner: string, id: string, version: number): boolean {
    return this.#texts.has(keyOf(owner, id, version));
  }

  /** A text that is about to be sent. */
  get(owner: string, id: string, version: number): string | undefined {
    const key = keyOf(owner, id, version);
    const text = this.#texts.get(key);
    if (text === undefined) return undefined;
    this.#texts.delete(key);
    this.#texts.set(key, text);
    return text;
  }

  put(owner: string, id: string, version: number, text: string): void {
    const key = keyOf(owner, id, version);
    this.#drop(key);
    // One that fills the room alone would turn out all others first.
    if (costOf(text) > this.#budget) return;
    this.#texts.set(key, text);
    this.#held += costOf(text);
    for (const oldest of this.#texts.keys()) {
      if (this.#held <= this.#budget) return;
      this.#drop(oldest);
    }
  }

  drop(owner: string, id: string, version: number): void {
    this.#drop(keyOf(owner, id, version));
  }

  /** Nothing is known to be right any more. */
  clear(): void {
    this.#texts.clear();
    this.#held = 0;
  }

  #drop(key: string): void {
    const text = this.#texts.get(key);
    if (text === undefined) return;
    this.#texts.delete(key);
    this.#held -= costOf(text);
  }
}

/** Neither names nor ids hold blanks. */
function keyOf(owner: string, id: string, version: number): string {
  return `${owner} ${id} ${version}`;
}

function costOf(text: string): number {
  return text.length + ENTRY;
}
