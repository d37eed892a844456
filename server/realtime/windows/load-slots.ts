/** Work of which only so much runs at once: first come, first served. */
export class LoadSlots {
  readonly #most: number;
  readonly #waiting = new Set<() => Promise<void>>();
  #running = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Runs it as soon as there is room, not before the caller is done.
   * @param run settles, and never rejects
   * @returns forgets it, if it has not begun
   */
  enter(run: () => Promise<void>): () => void {
    const entry = () => run();
    this.#waiting.add(entry);
    queueMicrotask(() => this.#next());
    return () => void this.#waiting.delete(entry);
  }

  #next(): void {
    for (const entry of this.#waiting) {
      if (this.#running >= this.#most) return;
      this.#waiting.delete(entry);
      this.#running++;
      void entry().finally(() => {
        this.#running--;
        this.#next();
      });
    }
  }
}
