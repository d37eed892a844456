import type { ObjectValue } from "#protocol/values";
import type { DocumentStore, Row, StoredCollection } from "../../stores/document-store.ts";
import { GROUPS, type SetValues } from "./settings-input.ts";

interface Group {
  readonly version: number;
  readonly values: ObjectValue;
}

/** What is stored of each group of settings, held in memory and replaced as the store's tail tells of changes. */
export class HeldSettings {
  readonly #store: DocumentStore;
  readonly #collection: StoredCollection;
  readonly #tail: { close(): void };
  /** Groups that the tail told of while all are read anew, one set for each reading. */
  readonly #told = new Set<Set<string>>();
  #groups = new Map<string, Group>();
  #values: SetValues = {};

  constructor(store: DocumentStore, collection: StoredCollection) {
    this.#store = store;
    this.#collection = collection;
    this.#tail = store.tail(
      undefined,
      ({ changes, dropped }) => {
        if (dropped?.includes(collection.name)) for (const group of GROUPS) this.#take(group, undefined);
        for (const { collection: name, id, next } of changes) if (name === collection.name) this.#take(id, next);
      },
      () => this.load(),
    );
  }

  /** By group; another object after each change. */
  get values(): SetValues {
    return this.#values;
  }

  /** Reads all: at the start, and when commits were missed. What the tail brings meanwhile is newer. */
  async load(): Promise<void> {
    const told = new Set<string>();
    this.#told.add(told);
    try {
      await this.#store.ensureCollection(this.#collection);
      const rows = await this.#store.get(this.#collection.name, GROUPS);
      for (const [i, group] of GROUPS.entries()) if (!told.has(group)) this.#hold(group, rows[i]);
    } finally {
      this.#told.delete(told);
    }
  }

  close(): void {
    this.#tail.close();
  }

  #take(id: string, next: Row | undefined): void {
    if (!GROUPS.some((group) => group === id)) return;
    // What was read may be newer than what the tail tells.
    if (next && next.version < (this.#groups.get(id)?.version ?? 0)) return;
    for (const told of this.#told) told.add(id);
    this.#hold(id, next);
  }

  #hold(group: string, row: Row | undefined): void {
    if (row) this.#groups.set(group, { version: row.version, values: valuesIn(row) });
    else this.#groups.delete(group);
    this.#values = Object.fromEntries([...this.#groups].map(([name, { values }]) => [name, values]));
  }
}

/** The settings in a stored document, without the fields of the server. */
export function valuesIn({ value }: Row): ObjectValue {
  return Object.fromEntries(Object.entries(value).filter(([name]) => !name.startsWith("_")));
}
