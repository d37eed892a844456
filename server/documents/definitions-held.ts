import { GalleyError } from "#protocol/errors";
import type { DocumentStore } from "../stores/document-store.ts";
import { pagesOf } from "../stores/pages.ts";
import { type Definition, readDefinition } from "./definition-document.ts";

const PAGE = 1000;
/** How long to wait for what another node is about to commit, or for others to end what a dead one left. */
const PATIENCE = 20_000;

/** The stored definitions as the tail tells them, all of them, also those of collections that are being made or dropped. */
export class HeldDefinitions {
  readonly #store: DocumentStore;
  readonly #collection: string;
  #held = new Map<string, Definition>();
  /** How many were held when a name was added last. */
  readonly #ranks = new Map<string, number>();
  /** Names that the tail told of while all were read anew. */
  #touched: Set<string> | undefined;
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #tail: { close(): void };

  constructor(store: DocumentStore, collection: string) {
    this.#store = store;
    this.#collection = collection;
    this.#tail = store.tail(
      undefined,
      ({ changes }) => {
        for (const change of changes) {
          if (change.collection !== this.#collection) continue;
          const { id, next } = change;
          this.#take(id, next && readDefinition(next));
        }
      },
      () => this.load(),
    );
  }

  /** Reads all: at the start, and when commits were missed. What the tail brings meanwhile is newer. */
  async load(): Promise<void> {
    this.#touched = new Set();
    await this.#store.ensureCollection({ name: this.#collection, indexes: [] });
    const loaded = new Map<string, Definition>();
    for await (const { rows } of pagesOf(this.#store, this.#collection, PAGE)) {
      for (const row of rows) loaded.set(row.id, readDefinition(row));
    }
    for (const name of this.#touched) {
      const held = this.#held.get(name);
      if (held) loaded.set(name, held);
      else loaded.delete(name);
    }
    this.#touched = undefined;
    this.#held = loaded;
    for (const name of [...this.#waiting.keys()]) this.#wake(name);
  }

  get(name: string): Definition | undefined {
    return this.#held.get(name);
  }

  all(): Definition[] {
    return [...this.#held.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  get size(): number {
    return this.#held.size;
  }

  /** How many there were, this one included, at the commit that added it. */
  rank(name: string): number {
    return this.#ranks.get(name) ?? this.#held.size;
  }

  /**
   * Resolves once another version is held than this one; 0: none.
   * @throws GalleyError `unavailable` if that takes too long
   */
  async changed(name: string, version: number): Promise<void> {
    const end = performance.now() + PATIENCE;
    while ((this.#held.get(name)?.version ?? 0) === version) {
      const left = end - performance.now();
      if (left <= 0) throw busy(name);
      await this.#next(name, left);
    }
  }

  close(): void {
    this.#tail.close();
  }

  #take(name: string, definition: Definition | undefined): void {
    this.#touched?.add(name);
    if (!definition) {
      this.#held.delete(name);
      this.#ranks.delete(name);
    } else {
      const known = this.#held.get(name);
      // What was read may be newer than what the tail tells.
      if (known && known.version > definition.version) return;
      this.#held.set(name, definition);
      if (!known) this.#ranks.set(name, this.#held.size);
    }
    this.#wake(name);
  }

  #next(name: string, milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(name) ?? new Set();
      this.#waiting.set(name, waiting);
      const done = () => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        waiting.delete(done);
        resolve();
      }, milliseconds);
      waiting.add(done);
    });
  }

  #wake(name: string): void {
    const waiting = this.#waiting.get(name);
    this.#waiting.delete(name);
    for (const wake of waiting ?? []) wake();
  }
}

function busy(name: string): GalleyError {
  return new GalleyError("unavailable", `the collection "${name}" is being changed by another server: try again`, {
    outcome: "not_applied",
  });
}
