import type { Node } from "#protocol/ast";
import { canonicalKey } from "#protocol/canonical";
import { DistinctValues } from "#protocol/distinct";
import { GalleyError } from "#protocol/errors";
import { compileFilter } from "#protocol/match";
import { and, normalise } from "#protocol/normalise";
import type { Document, Value } from "#protocol/values";
import type { DocumentStore } from "../stores/document-store.ts";
import type { Lookup } from "./rule-tree.ts";

/** Documents a lookup may look at, and its time. */
const BUDGET = { candidates: 100_000, milliseconds: 5000 };
/** Sets kept, the least used of a generation go first. */
const MOST_SETS = 10_000;

/** What a batch has changed so far, which lookups see: the images of each collection by id, undefined where it is gone. */
export type Overlay = ReadonlyMap<string, ReadonlyMap<string, Document | undefined>>;

/** What verdicts ask of lookups: at once, or not until they are read. */
export interface Lookups {
  /** The values of a set lookup, null if there are more than may be; undefined: not read yet, and noted to be. */
  values(lookup: Lookup, where: Node): readonly Value[] | null | undefined;
  /** Whether an exists lookup finds something; undefined as above. */
  exists(lookup: Lookup, where: Node): boolean | undefined;
  /** What the operations of a batch have done before the one that is judged; undefined: as stored. */
  see(overlay: Overlay | undefined): void;
  /** Reads what was asked for. @throws GalleyError `unavailable`, `timeout` */
  settle(): Promise<void>;
}

/** The values of set lookups, held as long as nothing is written where they come from (access-rules.md 5). */
export interface LookupCache {
  /** The values, null if there are more than may be; undefined: they must be read first. */
  peek(lookup: Lookup, where: Node): readonly Value[] | null | undefined;
  read(lookup: Lookup, where: Node): Promise<readonly Value[] | null>;
  /** Something in this collection was written, or nobody knows what was. */
  forget(collection?: string): void;
}

export function createLookupCache(store: Pick<DocumentStore, "distinct">): LookupCache {
  const sets = new Map<string, Map<string, readonly Value[] | null>>();
  let count = 0;
  /** Raised by each write in a collection: what was read before is not kept. */
  const turns = new Map<string, number>();
  let everywhere = 0;

  const keyOf = ({ select, max }: Lookup, where: Node) => `${select?.join(".")} ${max} ${canonicalKey(where)}`;
  const turnOf = (collection: string) => `${everywhere} ${turns.get(collection) ?? 0}`;

  return {
    peek: (lookup, where) => sets.get(lookup.from)?.get(keyOf(lookup, where)),

    async read(lookup, where) {
      const turn = turnOf(lookup.from);
      const values = await readValues(store, lookup, where);
      if (turnOf(lookup.from) !== turn) return values;
      if (count >= MOST_SETS) {
        sets.clear();
        count = 0;
      }
      const held = sets.get(lookup.from) ?? new Map();
      sets.set(lookup.from, held.set(keyOf(lookup, where), values));
      count++;
      return values;
    },

    forget(collection) {
      if (collection === undefined) {
        everywhere++;
        sets.clear();
        count = 0;
        return;
      }
      turns.set(collection, (turns.get(collection) ?? 0) + 1);
      count -= sets.get(collection)?.size ?? 0;
      sets.delete(collection);
    },
  };
}

/** Null: more than may be, which poisons. What is null itself is no value: it would join those that have none. */
async function readValues(
  store: Pick<DocumentStore, "distinct">,
  { from, select = [], max }: Lookup,
  where: Node,
): Promise<readonly Value[] | null> {
  const found = await store
    .distinct({ collection: from, filter: where, path: select, budget: BUDGET })
    .catch((error: unknown) => Promise.reject(lookupFailed(error)));
  const values = found.values.filter((value) => value !== null);
  return found.more || values.length > max ? null : Object.freeze(values);
}

/** A store that fails gives no verdict. */
export function lookupFailed(error: unknown): GalleyError {
  if (error instanceof GalleyError && error.status >= 500) return error;
  return new GalleyError("unavailable", "the access rules cannot be judged at the moment: try again", {}, error);
}

/**
 * The lookups of one request: each is read once, and what is not read yet is noted, so that a verdict can be asked for
 * again after {@link settle}.
 */
export class RequestLookups implements Lookups {
  readonly #store: Pick<DocumentStore, "find" | "distinct">;
  readonly #cache: LookupCache;
  readonly #exists = new Map<string, boolean>();
  readonly #sets = new Map<string, readonly Value[] | null>();
  readonly #wanted = new Map<string, () => Promise<void>>();
  #overlay: Overlay | undefined;

  constructor(store: Pick<DocumentStore, "find" | "distinct">, cache: LookupCache) {
    this.#store = store;
    this.#cache = cache;
  }

  see(overlay: Overlay | undefined): void {
    this.#overlay = overlay;
  }

  values(lookup: Lookup, where: Node): readonly Value[] | null | undefined {
    const touched = this.#overlay?.get(lookup.from);
    if (!touched) {
      const held = this.#cache.peek(lookup, where);
      if (held !== undefined) return held;
      const key = keyOf(lookup, where);
      const read = this.#sets.get(key);
      if (read !== undefined) return read;
      this.#want(key, async () => {
        this.#sets.set(key, await this.#cache.read(lookup, where));
      });
      return undefined;
    }
    const others = and(where, outside(touched));
    const key = `${keyOf(lookup, others)} beside`;
    const stored = this.#sets.get(key);
    if (stored === undefined) {
      this.#want(key, async () => void this.#sets.set(key, await readValues(this.#store, lookup, others)));
      return undefined;
    }
    if (stored === null) return null;
    const all = new DistinctValues(lookup.select ?? [], lookup.max);
    for (const value of stored) all.add(atPath(lookup, value));
    for (const document of matching(touched, where)) all.add(document);
    const { values, more } = all.result();
    return more ? null : values.filter((value) => value !== null);
  }

  exists(lookup: Lookup, where: Node): boolean | undefined {
    if (where.kind === "false") return false;
    const touched = this.#overlay?.get(lookup.from);
    if (touched && matching(touched, where).length > 0) return true;
    const filter = touched ? and(where, outside(touched)) : where;
    const key = `${lookup.from} ${canonicalKey(filter)}`;
    const known = this.#exists.get(key);
    if (known === undefined) this.#want(key, async () => void this.#exists.set(key, await this.#find(lookup, filter)));
    return known;
  }

  /** Whether something has to be read before a verdict can be given. */
  get open(): boolean {
    return this.#wanted.size > 0;
  }

  async settle(): Promise<void> {
    const wanted = [...this.#wanted.values()];
    this.#wanted.clear();
    await Promise.all(wanted.map((read) => read()));
  }

  /** Rights may have changed: everything is read again. */
  renew(): void {
    this.#exists.clear();
    this.#sets.clear();
    this.#wanted.clear();
  }

  #want(key: string, read: (key: string) => Promise<void>): void {
    if (!this.#wanted.has(key)) this.#wanted.set(key, () => read(key));
  }

  async #find({ from }: Lookup, filter: Node): Promise<boolean> {
    const query = { collection: from, filter, sort: BY_ID, limit: 1, budget: BUDGET };
    const { rows } = await this.#store.find(query).catch((error: unknown) => Promise.reject(lookupFailed(error)));
    return rows.length > 0;
  }
}

const BY_ID = Object.freeze([Object.freeze({ path: Object.freeze(["_id"]), descending: false })]);

function keyOf({ from, select, max }: Lookup, where: Node): string {
  return `${from} ${select?.join(".")} ${max} ${canonicalKey(where)}`;
}

/** Documents that a batch has not touched. */
function outside(touched: ReadonlyMap<string, unknown>): Node {
  return normalise({ kind: "not", of: { kind: "in", path: ["_id"], values: [...touched.keys()] } });
}

function matching(touched: ReadonlyMap<string, Document | undefined>, where: Node): Document[] {
  const test = compileFilter(where);
  return [...touched.values()].filter((document) => document !== undefined && test(document)) as Document[];
}

/** A document with a value at a lookup's path. */
function atPath({ select = [] }: Lookup, value: Value): Document {
  return select.reduceRight<Value>((inner, segment) => ({ [segment]: inner }), value) as Document;
}
