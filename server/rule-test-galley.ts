import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeValue, type ObjectValue } from "#protocol/values";
import type { OpenTested } from "./access/rule-tests/tested-galley.ts";
import { type Definitions, openDefinitions } from "./documents/definitions.ts";
import { Schema } from "./documents/schema/schema.ts";
import { createDocumentService } from "./documents/service.ts";
import type { Log } from "./log.ts";
import type { DocumentStore, Write } from "./stores/document-store.ts";

export interface TestGalleyOptions {
  /** Opens an embedded store in an empty folder. */
  readonly openStore: (folder: string, clock: () => number) => Promise<DocumentStore>;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  readonly random: (bytes: number) => Uint8Array;
  readonly log: Log;
  /** The schema that a collection is declared with. */
  readonly schemaOf: (collection: string) => Schema | undefined;
}

/** Fills defaults, which rules judge, and enforces nothing: the documents of tests hold what the rules look at. */
class SchemaOfTests extends Schema {
  override enforce(): void {}
}

/** Opens the Galley that a set of rules is tested on, in a temporary folder which its `close` removes. */
export function createTestGalleys({ openStore, clock, random, log, schemaOf }: TestGalleyOptions): OpenTested {
  return async ({ collections, documents, now }) => {
    const time = now === undefined ? clock : () => now;
    const folder = await mkdtemp(join(tmpdir(), "galley-rule-tests-"));
    const opened: { close(): void | Promise<void> }[] = [{ close: () => rm(folder, { recursive: true, force: true }) }];
    const close = async () => {
      for (const part of opened.splice(0).reverse()) await part.close();
    };
    try {
      const stored = await openStore(folder, time);
      opened.push(stored);
      const definitions = await openDefinitions({ store: stored, clock: time, log });
      opened.push(definitions);
      const schemas = new Map<string, Schema>();
      for (const name of collections) {
        await definitions.declare(name);
        const schema = schemaOf(name);
        if (schema) schemas.set(name, new SchemaOfTests(schema.source));
      }
      await load(stored, documents, new Date(time()));
      let judgedOnly = false;
      const store: DocumentStore = {
        ...stored,
        commit: (writes, values) => (judgedOnly ? Promise.resolve(stored.position()) : stored.commit(writes, values)),
      };
      const service = await createDocumentService({
        ...{ store, definitions: withSchemas(definitions, schemas), clock: time, random, log },
        ...{ secrets: [Buffer.from(random(32)).toString("hex")], development: false, grantsRights: () => false },
      });
      opened.push(service);
      judgedOnly = true;
      return { documents: service, store: stored, clock: time, close };
    } catch (error) {
      await close();
      throw error;
    }
  };
}

function withSchemas(definitions: Definitions, schemas: ReadonlyMap<string, Schema>): Definitions {
  return {
    ...definitions,
    get(name) {
      const definition = definitions.get(name);
      return definition && { ...definition, schema: schemas.get(name) };
    },
  };
}

async function load(
  store: DocumentStore,
  documents: ReadonlyMap<string, readonly ObjectValue[]>,
  now: Date,
): Promise<void> {
  const writes: Write[] = [];
  for (const [collection, list] of documents) {
    for (const { _id, _createdAt = now, _updatedAt = _createdAt, ...fields } of list) {
      const [id, version] = [String(_id), store.nextVersion(0)];
      const text = encodeValue({ _id: id, _v: version, _createdAt, _updatedAt, ...fields });
      writes.push({ kind: "put", collection, id, expect: 0, version, text });
    }
  }
  if (writes.length > 0) await store.commit(writes);
}
