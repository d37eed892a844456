/** Two nodes' stores on one database; the embedded engine has but one, which both share. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DocumentStore } from "../../server/stores/document-store.ts";
import { openMongoStore } from "../../server/stores/mongodb/store.ts";
import { openSqliteStore } from "../../server/stores/sqlite/store.ts";
import type { Engine } from "./engines.ts";
import type { Teardown } from "./teardown.ts";

export async function openTwoStores(t: Teardown, engine: Engine): Promise<readonly [DocumentStore, DocumentStore]> {
  const folder = mkdtempSync(join(tmpdir(), "galley-two-"));
  const url = engine.env(folder).GALLEY_MONGODB_URL;
  const open = async (): Promise<DocumentStore> => {
    if (url === undefined) return openSqliteStore({ folder, clock: Date.now });
    const random = (bytes: number) => randomBytes(bytes);
    const store = await openMongoStore({ url, clock: Date.now, random, warn: () => {} });
    await store.opened;
    return store;
  };
  const first = await open();
  const second = url === undefined ? first : await open();
  t.teardown(async () => {
    await first.close();
    if (second !== first) await second.close();
    rmSync(folder, { recursive: true, maxRetries: 5 });
  });
  return [first, second];
}
