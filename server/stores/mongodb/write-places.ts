import type { MongoClient } from "mongodb";
import type { Deadline } from "./time-limit.ts";

/**
 * Places for writes outside transactions. MongoDB lets such a write wait, on its connection, for a transaction that has the
 * same document; with all connections so taken, that transaction could send neither its next statement nor its end. So
 * they take half of a client's connections at most. Statements of transactions wait for nobody there, and need no place.
 */
export class WritePlaces {
  readonly #most: number;
  readonly #waiting = new Set<() => void>();
  #taken = 0;

  /** @param connections of the client; 0: without a limit */
  constructor(connections: number) {
    this.#most = connections === 0 ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor(connections / 2));
  }

  /**
   * Takes a place, which the caller leaves; first come, first served.
   * @param givenUp is told of whatever ends the waiting before the deadline
   * @throws TimeIsUp
   */
  async take(deadline: Deadline, givenUp: Set<() => void>): Promise<void> {
    if (this.#taken < this.#most) {
      this.#taken += 1;
      return;
    }
    let turn = () => {};
    const given = new Promise<void>((resolve) => {
      turn = resolve;
    });
    this.#waiting.add(turn);
    try {
      await deadline.race(given, givenUp);
    } catch (error) {
      // Given at the very moment when the time was up, it goes on to the next.
      if (!this.#waiting.delete(turn)) this.leave();
      throw error;
    }
  }

  leave(): void {
    const [next] = this.#waiting;
    if (!next) {
      this.#taken -= 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}

const known = new WeakMap<MongoClient, WritePlaces>();

export function placesOf(client: MongoClient): WritePlaces {
  const places = known.get(client) ?? new WritePlaces(client.options.maxPoolSize ?? 0);
  known.set(client, places);
  return places;
}
