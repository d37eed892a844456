import { GalleyError } from "#protocol/errors";
import type { Authorizer } from "../access/authorize.ts";
import { nameOf } from "../access/principal.ts";
import type { Log } from "../log.ts";
import { attempts, LostRace } from "../stores/attempts.ts";
import type { DocumentStore } from "../stores/document-store.ts";
import { pagesOf } from "../stores/pages.ts";
import { parseChange, parseCheck, parseCreation } from "./collection-input.ts";
import type { CollectionInfo, CollectionService } from "./contract.ts";
import { changeDefinition, checkSchema } from "./definition-change.ts";
import { type Definition, type Definitions, isConflict } from "./definitions.ts";
import { importLines } from "./import.ts";
import { encodePlain } from "./plain.ts";

export interface CollectionServiceOptions {
  readonly store: DocumentStore;
  readonly definitions: Definitions;
  readonly clock: () => number;
  readonly random: (bytes: number) => Uint8Array;
  readonly log: Log;
  /** Import and export ask what their caller may do with the documents themselves. */
  readonly access: Authorizer;
}

/** Documents of one page of an export. Each may be 1 MiB. */
const EXPORT_PAGE = 100;

/** What `/v1/admin/collections` serves: http-api.md "Collections". */
export function createCollectionService(options: CollectionServiceOptions): CollectionService {
  const { store, definitions, random, log, access } = options;

  return {
    list: async () => Promise.all(definitions.all().map(describe)),

    get: async (_scope, name) => describe(known(name)),

    async create(scope, body) {
      const { name, schema, indexes } = parseCreation(body);
      const made = await definitions.locked(name, () => definitions.create(name, { schema, indexes }));
      log.info({ collection: name, by: nameOf(scope.principal) }, "collection declared");
      return describe(made);
    },

    async change(scope, name, body) {
      known(name);
      const { ifVersion, ...change } = parseChange(body);
      const changed = await definitions.locked(name, () =>
        attempts(random, async () => {
          await definitions.settled(name);
          const before = known(name);
          if (ifVersion !== undefined && ifVersion !== before.version) throw hasChanged();
          if (change.schema === undefined && change.indexes === undefined) return before;
          return changeDefinition({ store, definitions }, before, change).catch((error: unknown) => {
            // Another node was faster. Who named no version means whatever is defined now.
            throw isConflict(error) && ifVersion === undefined ? new LostRace() : error;
          });
        }),
      );
      log.info({ collection: name, by: nameOf(scope.principal), changed: Object.keys(change) }, "collection changed");
      return describe(changed);
    },

    async drop(scope, name) {
      await definitions.locked(name, async () => {
        known(name);
        await definitions.drop(name);
      });
      log.warn({ collection: name, by: nameOf(scope.principal) }, "collection dropped");
    },

    async check(_scope, name, body) {
      known(name);
      return checkSchema(store, name, parseCheck(body));
    },

    import(scope, name, lines, plain) {
      const documents = access.scope(scope.principal, name);
      documents.demand("create");
      documents.demand("update");
      return importInto(name, lines, plain);
    },

    export(scope, name, plain) {
      access.scope(scope.principal, name).demand("list");
      known(name);
      return exportFrom(name, plain);
    },
  };

  async function* importInto(name: string, lines: AsyncIterable<Uint8Array>, plain: boolean): AsyncGenerator<string> {
    if (!definitions.get(name)) await definitions.declare(name);
    yield* importLines(options, { collection: name, plain }, lines);
  }

  async function* exportFrom(name: string, plain: boolean): AsyncGenerator<string> {
    for await (const { rows } of pagesOf(store, name, EXPORT_PAGE)) {
      for (const row of rows) yield plain ? encodePlain(row.value) : row.text;
    }
  }

  function known(name: string): Definition {
    const definition = definitions.get(name);
    if (definition) return definition;
    throw new GalleyError("not_found", "there is no such collection", { outcome: "not_applied" });
  }

  async function describe({ name, version, schema, indexes }: Definition): Promise<CollectionInfo> {
    const unknown = {
      documents: 0,
      bytes: 0,
      indexes: indexes.map((index) => ({ ...index, state: "building", progress: 0 }) as const),
    };
    const stats = (await store.stats(name)) ?? unknown;
    return { name, version, ...(schema ? { schema: schema.source } : {}), ...stats };
  }
}

function hasChanged(): GalleyError {
  return new GalleyError("version_conflict", "the definition has changed since that version was read", {
    outcome: "not_applied",
  });
}
