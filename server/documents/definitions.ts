import { isCollectionName } from "#protocol/batch";
import { GalleyError } from "#protocol/errors";
import { encodeValue } from "#protocol/values";
import type { Log } from "../log.ts";
import type { DocumentStore, Write } from "../stores/document-store.ts";
import { type Change, type Definition, writeDefinition } from "./definition-document.ts";
import { startRecovery } from "./definition-recovery.ts";
import { HeldDefinitions } from "./definitions-held.ts";
import { keyedLock } from "./keyed-lock.ts";

export type { Definition } from "./definition-document.ts";

/** How many collections one database holds. */
const MAX_COLLECTIONS = 1000;

/** What a change stores. */
export type DefinitionContent = Pick<Definition, "schema" | "indexes"> & { readonly pending?: Change };

/**
 * The definitions of all collections, held in memory and replaced as the store's tail passes their commits, so that a
 * write finds its schema without asking anybody. This is the only reader and writer of `_collections`.
 *
 * Several nodes may change them. A change of more than one commit says so in the definition (`pending`) and by whom: others
 * wait for its end, and end it themselves if its node is gone. Each commit is answered when every live node has passed it
 * and has ended the writes that it judged by what was defined before.
 */
export interface Definitions {
  /** Undefined if the collection is not declared, or is being made or dropped. */
  get(name: string): Definition | undefined;
  all(): readonly Definition[];
  /** As `get`, once no other node has a change of it under way. @throws GalleyError `unavailable` if that takes too long */
  settled(name: string): Promise<Definition | undefined>;
  /**
   * Declares a collection without schema and indexes. Whoever is faster, all get the one definition.
   * @throws GalleyError `not_found` if no collection can have that name, `failed_precondition` beyond the limit
   */
  declare(name: string): Promise<Definition>;
  /**
   * Declares a collection as given; call it with the name locked.
   * @throws GalleyError `already_exists`, also if another node was faster; `failed_precondition` beyond the limit
   */
  create(name: string, content: DefinitionContent): Promise<Definition>;
  /**
   * Stores a definition over the version that is expected, 0 for none, and resolves once writes follow it, on all nodes.
   * @throws GalleyError `version_conflict`, when what was stored instead is held here
   */
  put(name: string, expect: number, content: DefinitionContent): Promise<Definition>;
  /** Drops a collection with its documents; call it with the name locked. One that is not there is no error. */
  drop(name: string): Promise<void>;
  /** Runs one change of a definition at a time, of this node's. */
  locked<T>(name: string, work: () => Promise<T>): Promise<T>;
  /** Runs a change of more than one commit: as long as it runs, it is not taken for one that was cut off. */
  undertaken<T>(name: string, work: () => Promise<T>): Promise<T>;
  close(): void;
}

export interface DefinitionsOptions {
  readonly store: DocumentStore;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  readonly log: Log;
}

/** Where definitions are stored: one document a collection, named like it. */
const COLLECTIONS = "_collections";

/** Loads the definitions and follows their changes. Ends what nodes that are gone left half done. */
export async function openDefinitions({ store, clock, log }: DefinitionsOptions): Promise<Definitions> {
  const held = new HeldDefinitions(store, COLLECTIONS);
  try {
    await held.load();
  } catch (error) {
    held.close();
    throw error;
  }
  const lock = keyedLock();
  const declaring = new Map<string, Promise<Definition>>();
  const underWay = new Set<string>();
  const definitions: Definitions = {
    get: (name) => visible(held.get(name)),
    all: () => held.all().flatMap((definition) => visible(definition) ?? []),

    async settled(name) {
      for (;;) {
        const definition = held.get(name);
        if (!definition?.pending) return definition;
        await held.changed(name, definition.version);
      }
    },

    async declare(name) {
      const known = definitions.get(name) ?? declaring.get(name);
      if (known) return known;
      if (!isCollectionName(name)) throw noSuchCollection();
      const mine = definitions.locked(name, () => declare(name));
      declaring.set(name, mine);
      try {
        return await mine;
      } finally {
        declaring.delete(name);
      }
    },

    async create(name, content) {
      for (;;) {
        if (await definitions.settled(name)) throw alreadyDeclared(name);
        const made = await definitions.undertaken(name, () => make(name, content));
        if (made) return made;
      }
    },

    async put(name, expect, { pending, ...content }) {
      const now = new Date(clock());
      const created = expect === 0 ? now : (held.get(name)?.createdAt ?? now);
      const definition: Definition = {
        ...{ name, version: store.nextVersion(expect), createdAt: created, ...content },
        ...(pending && { pending: { ...pending, by: store.nodes.self } }),
      };
      const text = encodeValue(writeDefinition(definition, now));
      const { version } = definition;
      await commit({ kind: "put", collection: COLLECTIONS, id: name, expect, version, text });
      return definition;
    },

    async drop(name) {
      for (let definition = held.get(name); definition; definition = held.get(name)) {
        try {
          const { version, pending, ...content } = definition;
          await definitions.undertaken(name, () => drop(name, version, content));
        } catch (error) {
          if (!isConflict(error)) throw error;
        }
      }
    },

    locked: lock.run,

    async undertaken(name, work) {
      underWay.add(name);
      try {
        return await work();
      } finally {
        underWay.delete(name);
      }
    },

    close() {
      recovery.close();
      held.close();
    },
  };

  async function declare(name: string): Promise<Definition> {
    for (;;) {
      const known = await definitions.settled(name);
      if (known) return known;
      try {
        return await definitions.create(name, { schema: undefined, indexes: [] });
      } catch (error) {
        if (!(error instanceof GalleyError) || error.code !== "already_exists") throw error;
      }
    }
  }

  /** @returns undefined if another node was faster */
  async function make(name: string, content: DefinitionContent): Promise<Definition | undefined> {
    const reserved = await reserve(name);
    if (!reserved) return undefined;
    try {
      await store.ensureCollection({ name, indexes: content.indexes });
      return await definitions.put(name, reserved.version, content);
    } catch (error) {
      await remove(name, reserved.version).catch(() => {
        // Recovery does it, as it would if this node were gone.
      });
      throw error;
    }
  }

  /** Takes a name, so that one node alone makes its collection. Which are beyond the limit is decided by commit order. */
  async function reserve(name: string): Promise<Definition | undefined> {
    if (held.size >= MAX_COLLECTIONS) throw tooMany();
    const pending = { kind: "create" } as const;
    let reserved: Definition;
    try {
      reserved = await definitions.put(name, 0, { schema: undefined, indexes: [], pending });
    } catch (error) {
      if (isConflict(error)) return undefined;
      throw error;
    }
    if (held.rank(name) <= MAX_COLLECTIONS) return reserved;
    await remove(name, reserved.version);
    throw tooMany();
  }

  async function drop(name: string, version: number, content: DefinitionContent): Promise<void> {
    const going = await definitions.put(name, version, { ...content, pending: { kind: "drop" } });
    await store.dropCollection(name);
    await remove(name, going.version);
  }

  async function remove(name: string, version: number): Promise<void> {
    await commit({ kind: "delete", collection: COLLECTIONS, id: name, expect: version });
  }

  async function commit(write: Write): Promise<void> {
    try {
      await store.barrier(await store.commit([write]));
    } catch (error) {
      if (isConflict(error)) await held.changed(write.id, write.expect);
      throw error;
    }
  }

  const recovery = startRecovery({ store, held, definitions, isBusy: (name) => underWay.has(name), remove, log });
  await recovery.run();
  return definitions;
}

function visible(definition: Definition | undefined): Definition | undefined {
  const kind = definition?.pending?.kind;
  return kind === "create" || kind === "drop" ? undefined : definition;
}

export function isConflict(error: unknown): boolean {
  return error instanceof GalleyError && error.code === "version_conflict";
}

export function alreadyDeclared(name: string): GalleyError {
  return new GalleyError("already_exists", `the collection "${name}" exists already`, { outcome: "not_applied" });
}

/** What reads and writes answer where no collection can be. */
export function noSuchCollection(): GalleyError {
  return new GalleyError("not_found", "there is no such collection: a name is a-z, then a-z 0-9 _ -, at most 63");
}

function tooMany(): GalleyError {
  return new GalleyError("failed_precondition", `a server holds at most ${MAX_COLLECTIONS} collections`, {
    reason: "too_many_collections",
  });
}
