import type { Fault } from "#protocol/errors";
import { Faults, GalleyError } from "#protocol/errors";
import { LIMITS } from "#protocol/limits";
import type { DocumentStore, IndexDefinition } from "../stores/document-store.ts";
import { pagesOf } from "../stores/pages.ts";
import type { SchemaCheck } from "./contract.ts";
import { type Definition, type DefinitionContent, type Definitions, isConflict } from "./definitions.ts";
import { fieldsOf } from "./images.ts";
import type { Schema } from "./schema/schema.ts";

/** Documents that a check or a refused change names. */
const MAX_EXAMPLES = 100;
const PAGE = 100;

export interface DefinitionStores {
  readonly store: DocumentStore;
  readonly definitions: Definitions;
}

/** What to change; what is absent stays. */
export interface DefinitionChange {
  /** null takes the schema off. */
  readonly schema?: Schema | null;
  readonly indexes?: readonly IndexDefinition[];
  /** Stored documents that do not fit the new schema stay; each must fit at its next write. */
  readonly acceptExisting?: boolean;
}

/**
 * Changes a definition under load (http-api.md "Collections" 3): it holds for new writes first, then stored documents
 * are checked, and if one does not fit it is taken back. Call it with the definition locked.
 *
 * @throws GalleyError `failed_precondition` with `details.violations`
 */
export function changeDefinition(
  stores: DefinitionStores,
  before: Definition,
  change: DefinitionChange,
): Promise<Definition> {
  return stores.definitions.undertaken(before.name, () => tryChange(stores, before, change));
}

async function tryChange(
  { store, definitions }: DefinitionStores,
  before: Definition,
  change: DefinitionChange,
): Promise<Definition> {
  const { name } = before;
  const content: DefinitionContent = {
    schema: change.schema === undefined ? before.schema : (change.schema ?? undefined),
    indexes: change.indexes ?? before.indexes,
  };
  const old = { schema: before.schema, indexes: before.indexes };
  // From here on every node judges by the new definition, and no write is under way that was judged by the old one.
  const tried = await definitions.put(name, before.version, { ...content, pending: { kind: "change", ...old } });
  try {
    await store.ensureCollection({ name, indexes: content.indexes });
    if (change.schema && !change.acceptExisting) await demandFit(store, name, change.schema);
    return await definitions.put(name, tried.version, content);
  } catch (error) {
    if (isConflict(error)) throw takenBack();
    await takeBack({ store, definitions }, tried, old);
    throw error;
  }
}

/** What cannot be taken back now (the store is away) is left to the recovery. */
async function takeBack(
  { store, definitions }: DefinitionStores,
  { name, version }: Definition,
  old: DefinitionContent,
): Promise<void> {
  try {
    await definitions.put(name, version, old);
    await store.ensureCollection({ name, indexes: old.indexes });
  } catch (error) {
    if (!(error instanceof GalleyError)) throw error;
  }
}

/** Others took this node for gone and ended its change. */
function takenBack(): GalleyError {
  return new GalleyError("contention", "the change was taken back by another server meanwhile: try again", {
    outcome: "not_applied",
  });
}

/** Adds an index unless it is there or no more fit; development mode's own declaring. */
export async function addIndex(stores: DefinitionStores, collection: string, index: IndexDefinition): Promise<void> {
  await stores.definitions.locked(collection, async () => {
    const definition = await stores.definitions.settled(collection);
    if (!definition || definition.indexes.length >= LIMITS.indexesPerCollection) return;
    const text = JSON.stringify(index.paths);
    if (definition.indexes.some(({ paths, unique }) => !unique && JSON.stringify(paths) === text)) return;
    await changeDefinition(stores, definition, { indexes: [...definition.indexes, index] });
  });
}

/** Judges every stored document by a schema, page by page. */
export async function checkSchema(store: DocumentStore, collection: string, schema: Schema): Promise<SchemaCheck> {
  let [checked, violating] = [0, 0];
  const examples: { id: string; faults: readonly Fault[] }[] = [];
  for await (const { rows } of pagesOf(store, collection, PAGE)) {
    for (const row of rows) {
      checked++;
      const faults = new Faults();
      schema.judge(fieldsOf(row.value), "document", faults, row.text.length);
      if (!faults.any) continue;
      violating++;
      if (examples.length < MAX_EXAMPLES) examples.push({ id: row.id, faults: faults.list });
    }
  }
  return { checked, violating, examples };
}

async function demandFit(store: DocumentStore, name: string, schema: Schema): Promise<void> {
  const { checked, violating, examples } = await checkSchema(store, name, schema);
  if (violating === 0) return;
  const advice = 'mend them, or repeat with "acceptExisting": true';
  throw new GalleyError("failed_precondition", `${violating} of ${checked} stored documents do not fit: ${advice}`, {
    reason: "documents_violate",
    violating,
    violations: examples,
    outcome: "not_applied",
  });
}
