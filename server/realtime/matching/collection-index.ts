import type { Node } from "#protocol/ast";
import type { Path } from "#protocol/paths";
import type { ObjectValue, Value } from "#protocol/values";
import { type Entry, entriesOf } from "./entries.ts";
import { Groups } from "./groups.ts";
import { PathIndex } from "./path-index.ts";

/** Where an item stands in the index of its collection: under entries, or among those that hear of every document. */
export type Standing = { readonly entries: readonly Entry[] } | { readonly every: "accepted" | "residual" };

/** The items of one collection, by what their filters ask for and by the documents that they hold. */
export class CollectionIndex<E extends object> {
  readonly members = new Groups<string, E>();
  /** By the path's first field, then by the path: a document that lacks the field has nothing to look for. */
  readonly #fields = new Map<string, Map<string, PathIndex<E>>>();
  /** Indexes with an entry that a missing field meets. */
  readonly #missing = new Map<PathIndex<E>, string>();
  readonly #every = new Set<E>();

  get empty(): boolean {
    return this.members.size === 0 && this.#fields.size === 0 && this.#every.size === 0;
  }

  /** Where an item with this filter would stand best now. */
  place(filter: Node): Standing {
    // Each of its candidates is a match, so nothing could find it with less.
    if (filter.kind === "true") return { every: "accepted" };
    const entries = entriesOf(filter, (path, value) => this.#crowd(path, value));
    return entries ? { entries } : { every: "residual" };
  }

  add(standing: Standing, item: E): void {
    if ("every" in standing) this.#every.add(item);
    else for (const entry of standing.entries) this.#index(entry.path).add(entry, item);
    this.#noteMissing(standing);
  }

  remove(standing: Standing, item: E): void {
    if ("every" in standing) this.#every.delete(item);
    else for (const entry of standing.entries) this.#find(entry.path)?.remove(entry, item);
    this.#noteMissing(standing);
    if ("entries" in standing) for (const { path } of standing.entries) this.#drop(path);
  }

  /** Visits every item whose filter accepts the document, and maybe others; an item may be visited more than once. */
  meet(document: ObjectValue, found: (item: E) => void): void {
    this.#every.forEach(found);
    if (this.#fields.size === 0) return;
    const names = Object.keys(document);
    if (names.length < this.#fields.size) {
      for (const name of names) this.#meetField(this.#fields.get(name), document, found);
    } else {
      for (const [name, indexes] of this.#fields) {
        if (Object.hasOwn(document, name)) this.#meetField(indexes, document, found);
      }
    }
    for (const [index, name] of this.#missing) if (!Object.hasOwn(document, name)) index.meetMissing(found);
  }

  #meetField(
    indexes: ReadonlyMap<string, PathIndex<E>> | undefined,
    document: ObjectValue,
    found: (item: E) => void,
  ): void {
    if (indexes) for (const index of indexes.values()) index.meet(document, found);
  }

  #crowd(path: Path, value: Value): number {
    return this.#find(path)?.count(value) ?? 0;
  }

  #find(path: Path): PathIndex<E> | undefined {
    return this.#fields.get(path[0] as string)?.get(path.join("."));
  }

  #index(path: Path): PathIndex<E> {
    const first = path[0] as string;
    const indexes = this.#fields.get(first) ?? new Map<string, PathIndex<E>>();
    this.#fields.set(first, indexes);
    const name = path.join(".");
    const index = indexes.get(name) ?? new PathIndex<E>(path);
    indexes.set(name, index);
    return index;
  }

  #noteMissing(standing: Standing): void {
    if ("every" in standing) return;
    for (const entry of standing.entries) {
      if (entry.kind !== "value" || entry.value !== null) continue;
      const index = this.#find(entry.path);
      if (!index) continue;
      if (index.count(null) > 0) this.#missing.set(index, entry.path[0] as string);
      else this.#missing.delete(index);
    }
  }

  #drop(path: Path): void {
    const first = path[0] as string;
    const indexes = this.#fields.get(first);
    const name = path.join(".");
    if (!indexes?.get(name)?.empty) return;
    indexes.delete(name);
    if (indexes.size === 0) this.#fields.delete(first);
  }
}
