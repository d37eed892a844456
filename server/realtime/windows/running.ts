/** Of what runs at once, what one asker's may be: the rest is for others, at once. */
const SHARE = 3 / 4;

/** Work that runs, counted by who asked for it. */
export class Running {
  readonly #most: number;
  readonly #each: number;
  readonly #byAsker = new Map<string, number>();
  #all = 0;

  /** @param most at once */
  constructor(most: number) {
    this.#most = most;
    this.#each = Math.ceil(most * SHARE);
  }

  get isFull(): boolean {
    return this.#all >= this.#most;
  }

  /** Whether more of an asker's may run. */
  hasRoom(asker: string): boolean {
    return (this.#byAsker.get(asker) ?? 0) < this.#each;
  }

  /** @param run settles, and never rejects. @returns resolves once it has ended and counts no more */
  async run(asker: string, run: () => Promise<void>): Promise<void> {
    this.#count(asker, 1);
    try {
      await run();
    } finally {
      this.#count(asker, -1);
    }
  }

  #count(asker: string, by: number): void {
    this.#all += by;
    const count = (this.#byAsker.get(asker) ?? 0) + by;
    if (count > 0) this.#byAsker.set(asker, count);
    else this.#byAsker.delete(asker);
  }
}
