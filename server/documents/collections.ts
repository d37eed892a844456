import { GalleyError } from "#protocol/errors";
import type { Authorizer, Scope } from "../access/authorize.ts";
import { nameOf, type Principal } from "../access/principal.ts";
import type { Log } from "../log.ts";
import { attempts, LostRace } from "../stores/attempts.ts";
import type { DocumentStore } from "../stores/document-store.ts";
import { pagesOf } from "../stores/pages.ts";
import { parseChange, parseCheck, parseCreation } from "./collection-input.ts";
import type { CollectionInfo, CollectionService } from "./contract.ts";
import { changeDefinition, checkSchema } from "./definition-change.ts";
import { type Definition, type Definitions, isConflict } from "./definitions.ts";
import { importLines } from "./import.ts";
import { demandStill } from "./judgement.ts";
import { encodePlain } from "./plain.ts";

export interface CollectionServiceOptions {
  readonly store: DocumentStore;
  readonly definitions: Definitions;
  readonly clock: () => number;
  readonly random: (bytes: number) => Uint8Array;
  readonly log: Log;
  /** Whether somebody may still do what they could. @throws GalleyError if not */
  readonly demandStanding: (principal: Principal) => Promise<void>;
  /** Import and export ask what their caller may do with the documents themselves. */
  readonly access: Authorizer;
}

/** Documents of one page of an export. Each may be 1 MiB. */
const EXPORT_PAGE = 100;
/** An import sets documents that may be there or not. */
const IMPORTING = ["create", "update"] as const;

/** What `/v1/admin/collections` serves: http-api.md "Collections". */
export function createCollectionService(options: CollectionServiceOptions): CollectionService {
  const { store, definitions, random, log, access, demandStanding } = options;

  return {
    list: async () => Promise.all(definitions.all().map(describe)),

    get: async (_scope, name) => describe(known(name)),

    async create(scope, body) {
      const { name, schema, indexes } = parseCreation(body);
      const made = await definitions.locked(name, async () => {
        // Others may have held it for long: nobody keeps a right by that.
        await demandStanding(scope.principal);
        return definitions.create(name, { schema, indexes });
      });
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
          await demandStanding(scope.principal);
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
        await demandStanding(scope.principal);
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
      for (const action of IMPORTING) documents.demand(action);
      return importInto(documents, lines, plain);
    },

    export(scope, name, plain) {
      const documents = access.scope(scope.principal, name);
      documents.demand("list");
      known(name);
      return exportFrom(documents, plain);
    },
  };

  async function* importInto(scope: Scope, lines: AsyncIterable<Uint8Array>, plain: boolean): AsyncGenerator<string> {
    const { collection } = scope;
    if (!definitions.get(collection)) await definitions.declare(collection);
    yield* importLines(options, { collection, plain, stillAllowed: () => demandStill(scope, IMPORTING) }, lines);
  }

  async function* exportFrom(scope: Scope, plain: boolean): AsyncGenerator<string> {
    for await (const { rows } of pagesOf(store, scope.collection, EXPORT_PAGE)) {
      await demandStill(scope, ["list"]);
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
