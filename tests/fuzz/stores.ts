import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DocumentStore } from "../../server/stores/document-store.ts";
import { openMongoStore } from "../../server/stores/mongodb/store.ts";
import { openSqliteStore } from "../../server/stores/sqlite/store.ts";

/** The engines that are compared with the evaluator, by name. */
export interface StoresUnderTest {
  readonly byName: ReadonlyMap<string, DocumentStore>;
  close(): Promise<void>;
}

/**
 * Opens every engine on a place of its own, which goes when it is closed. A further engine is one more entry here.
 *
 * @param mongod whose database is empty, and goes with the server; undefined to do without
 */
export async function openStores(mongod: { readonly url: string } | undefined): Promise<StoresUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), "galley-fuzz-"));
  const byName = new Map<string, DocumentStore>();
  byName.set("sqlite", await openSqliteStore({ folder, clock: Date.now }));
  if (mongod) byName.set("mongodb", await openMongodb(mongod.url));
  return {
    byName,
    async close() {
      for (const store of byName.values()) await store.close();
      await rm(folder, { recursive: true });
    },
  };
}

async function openMongodb(url: string): Promise<DocumentStore> {
  const store = await openMongoStore({ url, clock: Date.now, random: randomBytes, warn: console.warn });
  await store.opened;
  return store;
}
