import { setTimeout as wait } from "node:timers/promises";
import type { Node } from "#protocol/ast";
import { canonicalKey } from "#protocol/canonical";
import { GalleyError } from "#protocol/errors";
import { type Lookups, lookupFailed } from "../../access/lookups.ts";
import type { Lookup } from "../../access/rule-tree.ts";
import type { Commit, DocumentStore, FindResult, Position, Query } from "../../stores/document-store.ts";
import type { LiveTail } from "../live-tail.ts";
import type { Matching } from "../matching/matching.ts";
import type { LoadSlots } from "../windows/load-slots.ts";
import { LiveSet, type SetUser } from "./live-set.ts";

/** Documents that a lookup may look at, and its time; as for requests. */
const BUDGET = { candidates: 100_000, milliseconds: 5000 };
/** Characters of the documents of one set while they are read; of more, only the values are held. */
const MOST_CHARACTERS = 32 * 1024 * 1024;
/** A read that fails is tried again, for about 5 s in all. */
const TRIES = { most: 10, firstDelay: 50, mostDelay: 1000 };
/** Sweeps for which a set is kept that nobody uses. */
const LINGER = 2;
const BY_ID = Object.freeze([Object.freeze({ path: Object.freeze(["_id"]), descending: false })]);

export interface LiveLookupsOptions {
  readonly store: Pick<DocumentStore, "find" | "distinct" | "count">;
  readonly tail: Pick<LiveTail, "position">;
  /** Of these sets alone. */
  readonly matching: Matching<LiveSet>;
  readonly slots: LoadSlots;
  /** Documents of one set; of more, only the values are held. */
  readonly documents: number;
}

/**
 * The set lookups of rules, as internal live queries: one for all who ask the same (access-rules.md 5). A commit changes
 * them before any window is told of it, and only those are told whose set it changed.
 */
export interface LiveLookups {
  /** What verdicts ask, the sets that they used noted. */
  ask(): AskedLookups;
  /** Reads those that are not read, for somebody. @throws GalleyError `unavailable`, `timeout` */
  read(sets: ReadonlySet<LiveSet>, asker: string): Promise<void>;
  /** The sets that a verdict went by are kept for its user, and those of the one before given back. */
  use(user: SetUser, before: ReadonlySet<LiveSet>, now: ReadonlySet<LiveSet>): void;
  commit(commit: Commit): void;
  /** Commits were missed. */
  lost(): void;
  /** Forgets what nobody has used for a while. */
  sweep(): void;
  readonly size: number;
  /** Nothing is read any more. */
  close(): void;
}

/** The lookups of one socket. */
export interface AskedLookups extends Lookups {
  /** Forgets what was noted. @returns the sets that are asked for from now on */
  note(): ReadonlySet<LiveSet>;
}

export function createLiveLookups(options: LiveLookupsOptions): LiveLookups {
  const { store, tail, matching, slots, documents } = options;
  const sets = new Map<string, LiveSet>();
  const byCollection = new Map<string, Set<LiveSet>>();
  /** Of those, the ones that hear of every change: they are being read, or hold values alone. */
  const wide = new Map<string, Set<LiveSet>>();
  let closed = false;

  function setOf(lookup: Lookup, where: Node): LiveSet {
    const key = `${lookup.from} ${lookup.select?.join(".")} ${lookup.max} ${canonicalKey(where)}`;
    const known = sets.get(key);
    if (known) return known;
    const set = new LiveSet(lookup, where, key);
    follow(set);
    sets.set(key, set);
    addTo(byCollection, lookup.from, set);
    return set;
  }

  /** What the rules lack is told to nobody. */
  function follow(set: LiveSet): void {
    try {
      matching.add(set);
    } catch (error) {
      if (!(error instanceof GalleyError)) throw error;
      throw new GalleyError(error.code, "the access rules use a lookup that cannot be followed for so many", {}, error);
    }
  }

  function forget(set: LiveSet): void {
    sets.delete(set.key);
    matching.remove(set, set.ids);
    removeFrom(byCollection, set.collection, set);
    removeFrom(wide, set.collection, set);
  }

  /** What it holds may be wrong. @param at since when; undefined: nobody knows */
  function unread(set: LiveSet, at: Position | undefined): void {
    for (const id of set.ids) matching.release(set, id);
    if (!set.isReading) removeFrom(wide, set.collection, set);
    set.forget(at);
  }

  function read(set: LiveSet, asker: string): Promise<void> {
    set.place?.also(asker);
    set.reading ??= new Promise<void>((resolve, reject) => {
      const run = () =>
        readInTime(set)
          .finally(() => {
            set.reading = undefined;
            set.place = undefined;
          })
          .then(resolve, reject);
      set.place = slots.enter(run, asker);
    });
    return set.reading;
  }

  async function readAll(wanted: ReadonlySet<LiveSet>, asker: string): Promise<void> {
    await Promise.all([...wanted].filter((set) => !set.isRead).map((set) => read(set, asker)));
  }

  async function readInTime(set: LiveSet): Promise<void> {
    let delay = TRIES.firstDelay;
    for (let i = 1; ; i++) {
      try {
        if (await readOnce(set)) return;
        if (i >= TRIES.most) throw new GalleyError("unavailable", "the access rules change too fast: try again");
      } catch (error) {
        removeFrom(wide, set.collection, set);
        set.abandon();
        if (closed || i >= TRIES.most || !isPassing(error)) throw lookupFailed(error);
      }
      await wait(delay, undefined, { ref: false });
      delay = Math.min(delay * 2, TRIES.mostDelay);
    }
  }

  async function readOnce(set: LiveSet): Promise<boolean> {
    addTo(wide, set.collection, set);
    set.begin();
    const { lookup, filter } = set;
    const query = { collection: lookup.from, filter, budget: BUDGET, at: tail.position };
    const found = await documentsOf(set, query);
    set.wasCoarse = found === undefined;
    if (found) {
      if (!set.take(found.rows, found.position)) return false;
      removeFrom(wide, set.collection, set);
      for (const id of set.ids) matching.hold(set, id);
      return true;
    }
    const { values, more, position } = await store.distinct({ ...query, path: lookup.select ?? [] });
    const told = values.filter((value) => value !== null);
    return set.takeValues(more || told.length > lookup.max ? null : Object.freeze(told), position);
  }

  /** Undefined: too many to hold. */
  async function documentsOf(set: LiveSet, query: Query): Promise<FindResult | undefined> {
    // Of one that had too many the last time, to count them is less than to read as many as may be.
    if (set.wasCoarse && (await store.count({ ...query, cap: documents })).more) return undefined;
    const budget = { ...BUDGET, characters: MOST_CHARACTERS };
    try {
      const found = await store.find({ ...query, budget, sort: BY_ID, limit: documents });
      return found.more ? undefined : found;
    } catch (error) {
      if (error instanceof GalleyError && error.code === "payload_too_large") return undefined;
      throw error;
    }
  }

  return {
    get size() {
      return sets.size;
    },

    ask() {
      let noted = new Set<LiveSet>();
      return {
        note() {
          noted = new Set();
          return noted;
        },
        values(lookup, where) {
          const set = setOf(lookup, where);
          noted.add(set);
          return set.values;
        },
        exists() {
          throw new Error("a live query cannot be judged by a lookup for each document");
        },
        see() {},
        settle: () => readAll(noted, ""),
      };
    },

    read: readAll,

    use(user, before, now) {
      for (const set of before) if (!now.has(set)) set.users.delete(user);
      for (const set of now) {
        set.users.add(user);
        set.idle = 0;
      }
    },

    commit({ position, changes, dropped = [] }) {
      if (sets.size === 0) return;
      for (const collection of dropped) {
        for (const set of byCollection.get(collection) ?? []) unread(set, position);
      }
      for (const { collection, id, next } of changes) {
        if (!byCollection.has(collection)) continue;
        const value = next?.value;
        for (const set of [...(wide.get(collection) ?? [])]) {
          if (set.isReading) set.keep(position, id, value);
          else if (!set.includes(position)) unread(set, position);
        }
        for (const set of matching.touched(collection, id, value)) {
          if (!set.isHeld) continue;
          if (set.apply(position, id, value)) matching.hold(set, id);
          else matching.release(set, id);
        }
      }
    },

    lost() {
      for (const set of sets.values()) unread(set, undefined);
    },

    close() {
      closed = true;
    },

    sweep() {
      for (const set of sets.values()) {
        if (set.users.size > 0 || set.reading) set.idle = 0;
        else if (++set.idle > LINGER) forget(set);
      }
    },
  };
}

/** Whether the same read may succeed a moment later. Where order was lost it is read at the new position. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof GalleyError)) return false;
  return error.code === "unavailable" || error.code === "timeout" || error.details.reason === "history_lost";
}

function addTo<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const set = map.get(key) ?? new Set();
  map.set(key, set.add(value));
}

function removeFrom<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const set = map.get(key);
  if (set?.delete(value) && set.size === 0) map.delete(key);
}
