import type { Node } from "#protocol/ast";
import { compare } from "#protocol/compare";
import { DistinctValues } from "#protocol/distinct";
import { compileFilter } from "#protocol/match";
import { type Document, encodeValue, type ObjectValue, type Value } from "#protocol/values";
import type { Lookup } from "../../access/rule-tree.ts";
import type { Position, Row } from "../../stores/document-store.ts";
import type { Watcher } from "../matching/matching.ts";
import type { Place } from "../windows/load-slots.ts";

/** Who was judged by the values of a set. */
export interface SetUser {
  /** They are not what they were, since a commit at this position; undefined: nobody knows since when. */
  setChanged(at: Position | undefined): void;
}

interface Kept {
  readonly position: Position;
  readonly id: string;
  readonly next: ObjectValue | undefined;
}

/** Commits that a read may be behind; beyond it begins again. */
const MOST_KEPT = 10_000;

/**
 * The values of one set lookup, changed by each commit in the turn in which it is told:
 *
 *   unread -> reading       somebody waits for them
 *   reading -> held         read at a position; what was committed since is applied
 *   reading -> coarse       too many documents to hold: only the values are
 *   held, coarse -> unread  nobody knows what happened; of coarse ones: something that may have changed them
 */
export class LiveSet implements Watcher {
  readonly lookup: Lookup;
  readonly filter: Node;
  readonly key: string;
  readonly users = new Set<SetUser>();
  /** Sweeps that found nobody using it. */
  idle = 0;
  /** While somebody reads it, and where that waits. */
  reading: Promise<void> | undefined;
  place: Place | undefined;
  /** When it was read last it had too many documents to hold. */
  wasCoarse = false;
  readonly #test: (document: ObjectValue) => boolean;
  #state: "unread" | "reading" | "held" | "coarse" = "unread";
  /** What each document brings, as texts. */
  #documents = new Map<string, readonly string[]>();
  /** How many documents bring a value, by its text. */
  readonly #counts = new Map<string, { readonly value: Value; count: number }>();
  #kept: Kept[] = [];
  #missed = false;
  /** What was read is of this position. */
  #from: Position | undefined;
  #values: readonly Value[] | null | undefined;

  constructor(lookup: Lookup, where: Node, key: string) {
    this.lookup = lookup;
    this.filter = where;
    this.key = key;
    this.#test = compileFilter(where);
  }

  get collection(): string {
    return this.lookup.from;
  }

  get isRead(): boolean {
    return this.#state === "held" || this.#state === "coarse";
  }

  get isReading(): boolean {
    return this.#state === "reading";
  }

  /** Whether it knows its documents. */
  get isHeld(): boolean {
    return this.#state === "held";
  }

  /** Whether what was read knows of a position. */
  includes(position: Position): boolean {
    return this.#from !== undefined && position <= this.#from;
  }

  /** Ids of the documents that are in it. */
  get ids(): Iterable<string> {
    return this.#documents.keys();
  }

  /** The same object as long as they are the same; null: more than may be; undefined: not read. */
  get values(): readonly Value[] | null | undefined {
    if (this.#state === "held") this.#values ??= this.#isOver ? null : this.#sorted();
    return this.isRead ? this.#values : undefined;
  }

  begin(): void {
    this.#state = "reading";
    this.#kept = [];
    this.#missed = false;
  }

  /** @returns whether it holds: false if too much happened meanwhile */
  take(rows: readonly Row[], position: Position): boolean {
    if (this.#missed) return false;
    this.#clear();
    this.#from = position;
    this.#state = "held";
    for (const { id, value } of rows) this.#put(id, value);
    for (const { position: at, id, next } of this.#kept) if (at > position) this.#put(id, next);
    this.#kept = [];
    return true;
  }

  /** Only the values, null if there are too many. @returns as `take` */
  takeValues(values: readonly Value[] | null, position: Position): boolean {
    if (this.#missed || this.#kept.some((kept) => kept.position > position)) return false;
    this.#clear();
    this.#from = position;
    this.#state = "coarse";
    this.#values = values;
    this.#kept = [];
    return true;
  }

  /** While it is read: any change of its collection. */
  keep(position: Position, id: string, next: ObjectValue | undefined): void {
    if (this.#kept.length < MOST_KEPT) this.#kept.push({ position, id, next });
    else this.#missed = true;
  }

  /**
   * A change of a document that it holds, or that its `where` may accept; only while it knows its documents.
   * @returns whether the document is in it now
   */
  apply(position: Position, id: string, next: ObjectValue | undefined): boolean {
    if (this.includes(position)) return this.#documents.has(id);
    const over = this.#isOver;
    const changed = this.#put(id, next);
    if (changed && !(over && this.#isOver)) {
      this.#values = undefined;
      for (const user of [...this.users]) user.setChanged(position);
    }
    return this.#documents.has(id);
  }

  /** What it holds may be wrong. */
  forget(at: Position | undefined): void {
    if (this.#state === "reading") this.#missed = true;
    if (!this.isRead) return;
    this.#clear();
    this.#state = "unread";
    for (const user of [...this.users]) user.setChanged(at);
  }

  /** Reading came to nothing. */
  abandon(): void {
    this.#state = "unread";
    this.#kept = [];
  }

  #clear(): void {
    this.#documents = new Map();
    this.#counts.clear();
    this.#values = undefined;
  }

  get #isOver(): boolean {
    return this.#counts.size > this.lookup.max;
  }

  #sorted(): readonly Value[] {
    return Object.freeze([...this.#counts.values()].map(({ value }) => value).sort(compare));
  }

  /** @returns whether there is a value more or less */
  #put(id: string, next: ObjectValue | undefined): boolean {
    const before = this.#documents.get(id) ?? NONE;
    const brought = next !== undefined && this.#test(next) ? this.#valuesOf(next) : undefined;
    if (brought) this.#documents.set(id, [...brought.keys()]);
    else this.#documents.delete(id);
    let changed = false;
    for (const [text, value] of brought ?? NO_VALUES) {
      const held = this.#counts.get(text);
      if (held) held.count++;
      else {
        this.#counts.set(text, { value, count: 1 });
        changed = true;
      }
    }
    for (const text of before) {
      const held = this.#counts.get(text);
      if (!held || --held.count > 0) continue;
      this.#counts.delete(text);
      changed = true;
    }
    return changed;
  }

  /** What is null is no value: it would join those that have none. */
  #valuesOf(document: Document | ObjectValue): Map<string, Value> {
    const all = new DistinctValues(this.lookup.select ?? [], this.lookup.max + 1);
    all.add(document);
    const found = new Map<string, Value>();
    for (const value of all.result().values) if (value !== null) found.set(encodeValue(value), value);
    return found;
  }
}

const NONE: readonly string[] = [];
const NO_VALUES: ReadonlyMap<string, Value> = new Map();
