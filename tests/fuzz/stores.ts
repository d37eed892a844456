import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DocumentStore } from "../../server/stores/document-store.ts";
import { openSqliteStore } from "../../server/stores/sqlite/store.ts";

/** The engines that are compared with the evaluator, by name. */
export interface StoresUnderTest {
  readonly byName: ReadonlyMap<string, DocumentStore>;
  close(): Promise<void>;
}

/** Opens every engine on a place of its own, which goes when it is closed. A further engine is one more entry here. */
export async function openStores(): Promise<StoresUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), "galley-fuzz-"));
  const sqlite = await openSqliteStore({ folder, clock: Date.now });
  return {
    byName: new Map([["sqlite", sqlite]]),
    async close() {
      await sqlite.close();
      await rm(folder, { recursive: true });
    },
  };
}
