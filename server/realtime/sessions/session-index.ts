import type { Principal } from "../../access/principal.ts";
import { recordsOf } from "./identity.ts";

/** Sessions by the records that say what they may do, so that a change of one costs nothing for all others. */
export class SessionIndex<S> {
  readonly #sessions = new Map<S, readonly string[]>();
  readonly #byRecord = new Map<string, Set<S>>();

  get size(): number {
    return this.#sessions.size;
  }

  /** @param principal who it is from now on */
  set(session: S, principal: Principal): void {
    this.delete(session);
    const records = recordsOf(principal);
    this.#sessions.set(session, records);
    for (const record of records) {
      const set = this.#byRecord.get(record) ?? new Set();
      this.#byRecord.set(record, set.add(session));
    }
  }

  delete(session: S): void {
    for (const record of this.#sessions.get(session) ?? []) {
      const set = this.#byRecord.get(record);
      if (set?.delete(session) && set.size === 0) this.#byRecord.delete(record);
    }
    this.#sessions.delete(session);
  }

  of(record: string): Iterable<S> {
    return this.#byRecord.get(record) ?? [];
  }

  all(): Iterable<S> {
    return this.#sessions.keys();
  }
}
