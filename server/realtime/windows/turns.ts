/** Who may ask for one piece of work: more would not have it done sooner. */
const MOST_ASKERS = 8;

/** What may be taken now. */
export interface Taking<T> {
  /** Whether anything of an asker's is; anybody's, if it is left out. */
  readonly serves?: (asker: string) => boolean;
  readonly takes?: (work: T) => boolean;
}

/**
 * Work that waits, done for each asker in turn: nobody's thousand pieces stand before another's first. Who comes new waits
 * for one piece of each of the others at most.
 */
export class Turns<T extends object> {
  /** Askers in the order of their turns, each with its work in the order in which it was asked for. */
  readonly #waiting = new Map<string, Set<T>>();
  readonly #askers = new Map<T, Set<string>>();

  get size(): number {
    return this.#askers.size;
  }

  has(work: T): boolean {
    return this.#askers.has(work);
  }

  /** Somebody asks for it: it is done once, at the turn that comes first. */
  add(work: T, asker: string): void {
    const askers = this.#askers.get(work) ?? new Set();
    if (askers.has(asker) || askers.size >= MOST_ASKERS) return;
    this.#askers.set(work, askers.add(asker));
    const theirs = this.#waiting.get(asker) ?? new Set();
    this.#waiting.set(asker, theirs.add(work));
  }

  delete(work: T): void {
    for (const asker of this.#askers.get(work) ?? []) {
      const theirs = this.#waiting.get(asker);
      if (theirs?.delete(work) && theirs.size === 0) this.#waiting.delete(asker);
    }
    this.#askers.delete(work);
  }

  clear(): void {
    this.#waiting.clear();
    this.#askers.clear();
  }

  /** What could be taken, in the order of turns; what several ask for comes once for each. */
  *open(serves: (asker: string) => boolean): Generator<T> {
    for (const [asker, theirs] of this.#waiting) if (serves(asker)) yield* theirs;
  }

  /** Takes the next piece, and its asker's turn with it. */
  take({ serves = always, takes = always }: Taking<T> = {}): { readonly work: T; readonly asker: string } | undefined {
    for (const [asker, theirs] of this.#waiting) {
      if (!serves(asker)) continue;
      for (const work of theirs) {
        if (!takes(work)) continue;
        this.delete(work);
        if (this.#waiting.delete(asker)) this.#waiting.set(asker, theirs);
        return { work, asker };
      }
    }
    return undefined;
  }
}

function always(): boolean {
  return true;
}
