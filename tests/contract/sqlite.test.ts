import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqliteStore, type SqliteStore } from "../../server/stores/sqlite/store.ts";
import { documentStoreContract } from "./document-store.ts";

documentStoreContract(
  "sqlite",
  (t) => {
    const folder = mkdtempSync(join(tmpdir(), "galley-store-"));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    return { open: (clock = Date.now) => openSqliteStore({ folder, clock }) };
  },
  {
    // Rows come as text, so what the store parses is ours to count.
    parsed: (store) => (store as SqliteStore).meter.parsed,
    countsTexts: true,
    readsInProcess: true,
  },
);
