import type { Document as Stored } from "mongodb";
import type { Key } from "#protocol/compare";
import { compareKeys } from "#protocol/sort";
import type { FindQuery, Row } from "../document-store.ts";
import { checkPageSize } from "../query-refusals.ts";
import { rowKeys } from "../row-keys.ts";
import { TopRows } from "../top-rows.ts";
import type { ReadClock } from "./read-clock.ts";
import { type ReadMeter, rowOfBytes } from "./rows.ts";
import type { Snapshot } from "./snapshot.ts";

/** The rows of one page and whether more follow. */
export interface Page {
  readonly rows: readonly Row[];
  readonly more: boolean;
  /** Documents that MongoDB returned for it. */
  readonly returned: number;
}

export interface PageSource {
  readonly query: FindQuery;
  readonly snapshot: Snapshot;
  readonly clock: ReadClock;
  readonly meter: ReadMeter;
  /** The evaluator of the whole filter. */
  readonly matches: (text: string) => boolean;
}

/** By how much more is asked for each time that rows had to be dropped. */
const GROWTH = 8;

/**
 * Gathers one page from a `find` in the order of the sort. Of what MongoDB returns, foreign documents and rows that the
 * cursor has passed are dropped; where that leaves too few, the same state is asked for the following ones, for more each
 * time.
 *
 * @param search filter, sort, hint and bounds
 * @param milliseconds a time of its own within the query's, for a try
 */
export async function pageOf(source: PageSource, search: Stored, milliseconds?: number): Promise<Page> {
  const { limit } = source.query;
  const rows = new PageRows(source);
  // The least bound of a forward seek is the cursor's own row.
  let size = limit + 1 + (search.min ? 1 : 0);
  for (let skip = 0; ; skip += size, size *= GROWTH) {
    let returned = 0;
    const command = { ...search, ...(skip > 0 && { skip }), limit: size, batchSize: size, allowDiskUse: true };
    for await (const batch of source.snapshot.batches(command, milliseconds)) {
      returned += batch.length;
      for (const stored of batch) {
        rows.add(stored);
        if (rows.list.length > limit) return { rows: rows.list.slice(0, limit), more: true, returned: skip + returned };
        if (source.clock.due) await source.clock.pause();
      }
    }
    if (returned < size) return { rows: rows.list, more: false, returned: skip + returned };
  }
}

/** Judges what comes in the order of the sort. */
class PageRows {
  readonly list: Row[] = [];
  readonly #source: PageSource;
  readonly #keyOf: (row: Row) => readonly Key[];
  #last: readonly Key[] | undefined;
  #characters = 0;

  constructor(source: PageSource) {
    this.#source = source;
    this.#keyOf = rowKeys(source.query.sort);
    this.#last = source.query.after;
  }

  add(stored: Uint8Array): void {
    const { query, meter, matches } = this.#source;
    const row = rowOfBytes(stored);
    if (!row) {
      meter.foreign++;
      return;
    }
    if (!matches(row.text)) {
      meter.parity++;
      return;
    }
    const key = this.#keyOf(row);
    if (this.#last && compareKeys(query.sort, key, this.#last) <= 0) {
      if (this.list.length > 0) meter.parity++;
      return;
    }
    this.#last = key;
    this.list.push(row);
    this.#characters += row.text.length;
    checkPageSize(query.budget, this.#characters);
  }
}

/**
 * The same page from all matches in any order, sorted here: what is left when MongoDB refuses to sort because of a document
 * that is none of ours.
 */
export async function pageSortedHere(source: PageSource, search: Stored): Promise<Page> {
  const { query, snapshot, clock, meter, matches } = source;
  const { sort, limit, after } = query;
  const keyOf = rowKeys(sort);
  const top = new TopRows(sort, limit + 1);
  let returned = 0;
  for await (const batch of snapshot.batches(search)) {
    returned += batch.length;
    for (const stored of batch) {
      if (clock.due) await clock.pause();
      const row = rowOfBytes(stored);
      if (!row) meter.foreign++;
      else if (!matches(row.text)) meter.parity++;
      else {
        const key = keyOf(row);
        if (after && compareKeys(sort, key, after) <= 0) continue;
        top.add(key, row);
        checkPageSize(query.budget, top.characters);
      }
    }
  }
  const rows = top.rows();
  return { rows: rows.slice(0, limit), more: rows.length > limit, returned };
}
