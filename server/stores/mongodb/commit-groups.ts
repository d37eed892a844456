import type { Timestamp } from "mongodb";
import type { ChangeEvent } from "./change-events.ts";
import type { Batch } from "./change-stream.ts";
import { endsCommit } from "./commit-marker.ts";
import { isAfter } from "./positions.ts";
import { parseStored } from "./rows.ts";

/** All events of one commit, which are those of one cluster time. */
export interface CommitGroup {
  readonly time: Timestamp;
  readonly events: readonly ChangeEvent[];
}

/**
 * Puts the events of a stream together to whole commits (live-queries.md 3.4). The last commit of a batch is whole if
 * the server had nothing more to give, which is so if
 * - it has looked beyond that commit's time; or
 * - the next batch brings nothing; or
 * - the reply had room for another event. For a transaction that is known only of Galley's own, whose documents have a
 *   limit: the last document that they write says that it is the last.
 */
export class CommitGroups {
  #events: ChangeEvent[] = [];

  /** Whether a commit waits for the next batch, which should then be asked for at once. */
  get open(): boolean {
    return this.#events.length > 0;
  }

  /** @returns the commits that are whole now */
  take(batch: Batch): CommitGroup[] {
    const whole: CommitGroup[] = [];
    for (const event of batch.events) {
      const [first] = this.#events;
      if (first && !first.time.equals(event.time)) whole.push(this.#close(first));
      this.#events.push(event);
    }
    const [first] = this.#events;
    if (first && this.#ends(batch, first)) whole.push(this.#close(first));
    return whole;
  }

  #ends({ events, through, full, ended }: Batch, first: ChangeEvent): boolean {
    if (ended || events.length === 0 || (through && isAfter(through, first.time))) return true;
    if (full) return false;
    const last = this.#events.at(-1);
    return (
      first.transaction === undefined ||
      (last?.kind === "put" && endsCommit(last.collection, parseStored(last.document)))
    );
  }

  #close({ time }: ChangeEvent): CommitGroup {
    const group = { time, events: this.#events };
    this.#events = [];
    return group;
  }
}
