import { Recent } from "../../recent.ts";

/**
 * Records of one collection by id, read when they are first asked for and held until somebody says that they changed.
 * What was read before such a word came is never held. Of those not asked for of late it forgets some, and what there is
 * none of it does not hold.
 */
export class HeldRecords<T extends object> {
  readonly #read: (id: string) => Promise<T | undefined>;
  readonly #most: number;
  readonly #loading = new Map<string, Promise<T | undefined>>();
  /** Those being read that changed meanwhile. */
  readonly #outdated = new Set<string>();
  /** In boxes, which are emptied when their record changes. */
  #held: Recent<string, { record: T | undefined }>;

  /** @param most records kept of each of two generations */
  constructor(most: number, read: (id: string) => Promise<T | undefined>) {
    this.#most = most;
    this.#read = read;
    this.#held = new Recent(most);
  }

  get(id: string): T | undefined {
    return this.#held.get(id)?.record;
  }

  /** What was stored at some time after the call; who needs what is stored now asks `get` then. Callers share a read. */
  load(id: string): Promise<T | undefined> {
    const running = this.#loading.get(id);
    if (running) return running;
    const loading = this.#readCurrent(id);
    this.#loading.set(id, loading);
    return loading;
  }

  /** To be called with every change before it is confirmed to anybody. */
  forget(id: string): void {
    const box = this.#held.get(id);
    if (box) box.record = undefined;
    if (this.#loading.has(id)) this.#outdated.add(id);
  }

  clear(): void {
    this.#held = new Recent(this.#most);
    for (const id of this.#loading.keys()) this.#outdated.add(id);
  }

  async #readCurrent(id: string): Promise<T | undefined> {
    try {
      for (;;) {
        const record = await this.#read(id);
        if (this.#outdated.delete(id)) continue;
        if (record) this.#held.set(id, { record });
        return record;
      }
    } finally {
      this.#loading.delete(id);
      this.#outdated.delete(id);
    }
  }
}
