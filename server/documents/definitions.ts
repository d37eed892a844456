import { isCollectionName } from "#protocol/batch";
import { GalleyError } from "#protocol/errors";
import { encodeValue, type ObjectValue, type Value } from "#protocol/values";
import type { Log } from "../log.ts";
import type { DocumentStore, IndexDefinition, Position, Row } from "../stores/document-store.ts";
import { pagesOf } from "../stores/pages.ts";
import { Schema } from "./schema/schema.ts";

/** Where definitions are stored: one document a collection, named like it. */
const COLLECTIONS = "_collections";
/** How many collections one server holds. */
const MAX_COLLECTIONS = 1000;

/** What a collection is declared to be. */
export interface Definition {
  readonly name: string;
  /** Rises with every change. */
  readonly version: number;
  readonly createdAt: Date;
  readonly schema: Schema | undefined;
  readonly indexes: readonly IndexDefinition[];
  /** A change under way, to be taken back if the process ends in the middle of it. */
  readonly pending?: Pending;
}

/** `drop`: the collection is going. Else what was defined before a change that is still being checked. */
export type Pending =
  | { readonly kind: "drop" }
  | { readonly kind: "change"; readonly schema: Schema | undefined; readonly indexes: readonly IndexDefinition[] };

export type DefinitionContent = Pick<Definition, "schema" | "indexes" | "pending">;

/**
 * The definitions of all collections, held in memory and replaced as the store's tail passes their commits, so that a
 * write finds its schema without asking anybody. This is the only reader and writer of `_collections`.
 */
export interface Definitions {
  /** Undefined if the collection is not declared, or is being dropped. */
  get(name: string): Definition | undefined;
  all(): readonly Definition[];
  /**
   * Declares a collection without schema and indexes. Whoever is faster, all get the one definition.
   * @throws GalleyError `not_found` if no collection can have that name, `failed_precondition` beyond the limit
   */
  declare(name: string): Promise<Definition>;
  /**
   * Declares a collection as given.
   * @throws GalleyError `already_exists`, also if another node was faster; `failed_precondition` beyond the limit
   */
  create(name: string, content: DefinitionContent): Promise<Definition>;
  /**
   * Stores a definition over the version that is expected, 0 for none, and resolves once writes follow it.
   * @throws GalleyError `version_conflict`
   */
  put(name: string, expect: number, content: DefinitionContent): Promise<Definition>;
  /** Drops a collection with its documents. */
  drop(name: string): Promise<void>;
  /** Runs one change of a definition at a time. */
  locked<T>(name: string, work: () => Promise<T>): Promise<T>;
  close(): void;
}

export interface DefinitionsOptions {
  readonly store: DocumentStore;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  readonly log: Log;
}

/** Loads the definitions and follows their changes. Ends what a killed process left half done. */
export async function openDefinitions(options: DefinitionsOptions): Promise<Definitions> {
  const { store, log } = options;
  await store.ensureCollection({ name: COLLECTIONS, indexes: [] });
  const definitions = new HeldDefinitions(options);
  await definitions.load();
  for (const definition of definitions.all()) {
    if (definition.pending?.kind !== "change") continue;
    const { schema, indexes } = definition.pending;
    log.warn({ collection: definition.name }, "taking back a change of a definition that was cut off");
    await store.ensureCollection({ name: definition.name, indexes });
    await definitions.put(definition.name, definition.version, { schema, indexes });
  }
  for (const name of definitions.dropping()) await definitions.drop(name);
  return definitions;
}

class HeldDefinitions implements Definitions {
  readonly #store: DocumentStore;
  readonly #clock: () => number;
  readonly #held = new Map<string, Definition>();
  readonly #declaring = new Map<string, Promise<Definition>>();
  /** Names on their way into the store, which count as held. */
  readonly #creating = new Set<string>();
  readonly #locks = new Map<string, Promise<unknown>>();
  readonly #waiting: { position: Position; resolve: () => void }[] = [];
  readonly #tail: { close(): void };
  #passed: Position;

  constructor({ store, clock }: DefinitionsOptions) {
    this.#store = store;
    this.#clock = clock;
    const tail = store.tail(undefined, (commit) => {
      for (const change of commit.changes) {
        if (change.collection !== COLLECTIONS) continue;
        if (change.next) this.#held.set(change.id, readDefinition(change.next));
        else this.#held.delete(change.id);
      }
      this.#pass(commit.position);
    });
    this.#tail = tail;
    this.#passed = tail.position;
  }

  async load(): Promise<void> {
    for await (const { rows } of pagesOf(this.#store, COLLECTIONS, MAX_COLLECTIONS)) {
      for (const row of rows) {
        // What the tail brought meanwhile is newer.
        if (!this.#held.has(row.id)) this.#held.set(row.id, readDefinition(row));
      }
    }
  }

  get(name: string): Definition | undefined {
    const definition = this.#held.get(name);
    return definition?.pending?.kind === "drop" ? undefined : definition;
  }

  all(): readonly Definition[] {
    const live = [...this.#held.values()].filter(({ pending }) => pending?.kind !== "drop");
    return live.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  dropping(): string[] {
    return [...this.#held.values()].filter(({ pending }) => pending?.kind === "drop").map(({ name }) => name);
  }

  async declare(name: string): Promise<Definition> {
    const known = this.get(name) ?? this.#declaring.get(name);
    if (known) return known;
    if (!isCollectionName(name)) throw noSuchCollection();
    const declaring = this.locked(name, async () => this.get(name) ?? (await this.#declare(name)));
    this.#declaring.set(name, declaring);
    try {
      return await declaring;
    } finally {
      this.#declaring.delete(name);
    }
  }

  async #declare(name: string): Promise<Definition> {
    try {
      return await this.create(name, { schema: undefined, indexes: [] });
    } catch (error) {
      if (!(error instanceof GalleyError) || error.code !== "already_exists") throw error;
      // Another node was faster.
      const [row] = await this.#store.get(COLLECTIONS, [name]);
      if (!row) throw error;
      return readDefinition(row);
    }
  }

  async create(name: string, content: DefinitionContent): Promise<Definition> {
    const arriving = [...this.#creating].filter((one) => !this.#held.has(one)).length;
    if (this.#held.size + arriving >= MAX_COLLECTIONS) {
      throw new GalleyError("failed_precondition", `a server holds at most ${MAX_COLLECTIONS} collections`, {
        reason: "too_many_collections",
      });
    }
    this.#creating.add(name);
    try {
      await this.#store.ensureCollection({ name, indexes: content.indexes });
      return await this.put(name, 0, content);
    } catch (error) {
      if (!(error instanceof GalleyError) || error.code !== "version_conflict") throw error;
      const [row] = await this.#store.get(COLLECTIONS, [name]);
      if (row) await this.#store.ensureCollection({ name, indexes: readDefinition(row).indexes });
      throw alreadyDeclared(name);
    } finally {
      this.#creating.delete(name);
    }
  }

  async put(name: string, expect: number, content: DefinitionContent): Promise<Definition> {
    const now = new Date(this.#clock());
    const created = expect === 0 ? now : (this.#held.get(name)?.createdAt ?? now);
    const definition = { name, version: this.#store.nextVersion(expect), createdAt: created, ...content };
    const text = encodeValue(writeDefinition(definition, now));
    const { version } = definition;
    await this.#commit({ kind: "put", collection: COLLECTIONS, id: name, expect, version, text });
    return definition;
  }

  async drop(name: string): Promise<void> {
    const definition = this.#held.get(name);
    if (!definition) return;
    const { version } = await this.put(name, definition.version, { ...definition, pending: { kind: "drop" } });
    await this.#store.dropCollection(name);
    await this.#commit({ kind: "delete", collection: COLLECTIONS, id: name, expect: version });
  }

  async locked<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.#locks.get(name);
    const mine = (async () => {
      await before?.catch(() => {});
      return work();
    })();
    this.#locks.set(name, mine);
    try {
      return await mine;
    } finally {
      if (this.#locks.get(name) === mine) this.#locks.delete(name);
    }
  }

  close(): void {
    this.#tail.close();
  }

  async #commit(write: Parameters<DocumentStore["commit"]>[0][number]): Promise<void> {
    const position = await this.#store.commit([write]);
    if (this.#passed >= position) return;
    await new Promise<void>((resolve) => this.#waiting.push({ position, resolve }));
  }

  #pass(position: Position): void {
    this.#passed = position;
    for (let i = this.#waiting.length - 1; i >= 0; i--) {
      const waiter = this.#waiting[i];
      if (!waiter || waiter.position > position) continue;
      this.#waiting.splice(i, 1);
      waiter.resolve();
    }
  }
}

export function alreadyDeclared(name: string): GalleyError {
  return new GalleyError("already_exists", `the collection "${name}" exists already`, { outcome: "not_applied" });
}

/** What reads and writes answer where no collection can be. */
export function noSuchCollection(): GalleyError {
  return new GalleyError("not_found", "there is no such collection: a name is a-z, then a-z 0-9 _ -, at most 63");
}

/** A schema is kept as text: its keywords (`$ref`) are no legal keys of a document. */
function writeDefinition(definition: Definition, now: Date): ObjectValue {
  const { name, version, schema, indexes, pending } = definition;
  return {
    _id: name,
    _v: version,
    _createdAt: definition.createdAt,
    _updatedAt: now,
    ...writeContent(schema, indexes),
    ...(pending === undefined
      ? {}
      : {
          pending:
            pending.kind === "drop" ? pending : { kind: "change", ...writeContent(pending.schema, pending.indexes) },
        }),
  };
}

function writeContent(schema: Schema | undefined, indexes: readonly IndexDefinition[]): ObjectValue {
  const list = indexes.map(({ paths, unique }): ObjectValue => (unique ? { paths, unique } : { paths }));
  return schema ? { schema: JSON.stringify(schema.source), indexes: list } : { indexes: list };
}

function readDefinition(row: Row): Definition {
  const { value, version } = row;
  const pending = value.pending as ObjectValue | undefined;
  const definition = { name: row.id, version, createdAt: value._createdAt, ...readContent(value) };
  if (!pending) return definition;
  return {
    ...definition,
    pending: pending.kind === "drop" ? { kind: "drop" } : { kind: "change", ...readContent(pending) },
  };
}

function readContent(value: ObjectValue): Pick<Definition, "schema" | "indexes"> {
  const source: Value | undefined = value.schema;
  return {
    schema: typeof source === "string" ? new Schema(JSON.parse(source)) : undefined,
    indexes: value.indexes as unknown as readonly IndexDefinition[],
  };
}
