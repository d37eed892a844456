import { Sieve } from "./sieve.ts";

/** A record, and the version of the document that it was read from. */
export interface Versioned {
  readonly version: number;
}

/** Somebody who goes by what is held. */
export interface Dependent {
  /** Made false when that changes, or is not held any more. */
  settled: boolean;
}

interface Box<T> {
  /** As it is stored now; undefined as long as that is not known here. */
  record: T | undefined;
  dependents: Dependent[];
  asked: boolean;
}

/** Of one record. Those beyond are looked through for such as do not go by it any more. */
const FEW = 8;

/**
 * Records of one collection by id, read when they are first asked for, held, and exchanged for others as they change. What
 * was read before a change was told is never held. Of those not asked for of late it forgets some, and what there is none of
 * it does not hold.
 */
export class HeldRecords<T extends Versioned> {
  readonly #read: (id: string) => Promise<T | undefined>;
  readonly #loading = new Map<string, Promise<T | undefined>>();
  /** Those being read that changed meanwhile. */
  readonly #outdated = new Set<string>();
  readonly #boxes: Sieve<string, Box<T>>;

  /** @param most records held */
  constructor(most: number, read: (id: string) => Promise<T | undefined>) {
    this.#read = read;
    // Nobody would tell of its changes any more.
    this.#boxes = new Sieve(most, (box) => exchange(box, undefined));
  }

  /** As it is stored now, if it is held. @param dependent is told when that changes */
  get(id: string, dependent?: Dependent): T | undefined {
    const box = this.#boxes.get(id);
    if (box?.record && dependent) depend(box, dependent);
    return box?.record;
  }

  /** What was stored at some time after the call; who needs what is stored now asks `get` then. Callers share a read. */
  load(id: string): Promise<T | undefined> {
    const running = this.#loading.get(id);
    if (running) return running;
    const loading = this.#readCurrent(id);
    this.#loading.set(id, loading);
    return loading;
  }

  /**
   * To be called with every change before it is confirmed to anybody.
   * @param next what is stored now, asked for only if it is held; undefined: it is gone
   */
  changed(id: string, next: () => T | undefined): void {
    if (this.#loading.has(id)) this.#outdated.add(id);
    const box = this.#boxes.get(id);
    if (box?.record) exchange(box, newer(box.record, next));
  }

  clear(): void {
    for (const box of this.#boxes.values()) exchange(box, undefined);
    for (const id of this.#loading.keys()) this.#outdated.add(id);
  }

  async #readCurrent(id: string): Promise<T | undefined> {
    try {
      for (;;) {
        const record = await this.#read(id);
        if (this.#outdated.delete(id)) continue;
        if (record) this.#hold(id, record);
        return record;
      }
    } finally {
      this.#loading.delete(id);
      this.#outdated.delete(id);
    }
  }

  #hold(id: string, record: T): void {
    const box = this.#boxes.get(id);
    if (box) exchange(box, record);
    else this.#boxes.set(id, { record, dependents: [], asked: false });
  }
}

function exchange<T>(box: Box<T>, record: T | undefined): void {
  box.record = record;
  for (const dependent of box.dependents) dependent.settled = false;
  box.dependents = [];
}

function depend<T>(box: Box<T>, dependent: Dependent): void {
  if (box.dependents.includes(dependent)) return;
  if (box.dependents.length >= FEW) box.dependents = box.dependents.filter(({ settled }) => settled);
  box.dependents.push(dependent);
}

/**
 * What is held after a change. What was read may be newer than what is told; but another program's changes may as well lower
 * the version. So what is told of an older one is no reason to hold it, nor to go on by what is held: it is read anew.
 */
function newer<T extends Versioned>({ version }: T, next: () => T | undefined): T | undefined {
  try {
    const record = next();
    return record && record.version >= version ? record : undefined;
  } catch {
    // Another program stored what is no such record.
    return undefined;
  }
}
