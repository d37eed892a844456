/** What waits for a document: work that may be done together with its neighbours, or one who needs it alone. */
type Waiting<Job> = { readonly kind: "job"; readonly job: Job } | { readonly kind: "hold"; readonly grant: () => void };

/** Jobs that one commit takes together; each may leave a text of its own to answer with. */
const MOST_TOGETHER = 500;

/**
 * One line a document. While a commit of a document is in flight, what comes for it waits; then all that waits is handed
 * over together, to be stored as one replace (query-language.md 6.5). Documents nobody writes have no line.
 */
export class WriteQueue<Job> {
  readonly #work: (jobs: readonly Job[]) => Promise<void>;
  readonly #lines = new Map<string, Waiting<Job>[]>();

  /** @param work never rejects: it answers each job's caller itself */
  constructor(work: (jobs: readonly Job[]) => Promise<void>) {
    this.#work = work;
  }

  /** Does a job as soon as the document is free. */
  push(key: string, job: Job): void {
    const line = this.#lines.get(key);
    if (line) line.push({ kind: "job", job });
    else {
      this.#lines.set(key, []);
      void this.#run(key, [job]);
    }
  }

  /**
   * Waits until the caller has all these documents for itself.
   * @returns what lets them go
   */
  async hold(keys: Iterable<string>): Promise<() => void> {
    // In one order for all, so that no two can wait for each other.
    const sorted = [...new Set(keys)].sort();
    for (const key of sorted) await this.#acquire(key);
    return () => {
      for (const key of sorted) this.#next(key);
    };
  }

  #acquire(key: string): Promise<void> | undefined {
    const line = this.#lines.get(key);
    if (line) return new Promise((grant) => line.push({ kind: "hold", grant }));
    this.#lines.set(key, []);
    return undefined;
  }

  async #run(key: string, jobs: readonly Job[]): Promise<void> {
    await this.#work(jobs);
    this.#next(key);
  }

  #next(key: string): void {
    const line = this.#lines.get(key);
    const [first] = line ?? [];
    if (!line || !first) {
      this.#lines.delete(key);
      return;
    }
    if (first.kind === "hold") {
      line.shift();
      first.grant();
      return;
    }
    const jobs: Job[] = [];
    for (const waiting of line) {
      if (waiting.kind === "hold" || jobs.length === MOST_TOGETHER) break;
      jobs.push(waiting.job);
    }
    line.splice(0, jobs.length);
    void this.#run(key, jobs);
  }
}
