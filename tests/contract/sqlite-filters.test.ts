import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { encodeValue } from "#protocol/values";
import type { Write } from "../../server/stores/document-store.ts";
import { openSqliteStore } from "../../server/stores/sqlite/store.ts";
import { PLENTY } from "./document-store/fixture.ts";
import { type FilterCase, runFilterCases } from "./filter-cases.ts";

const folder = mkdtempSync(join(tmpdir(), "galley-filters-"));
const store = await openSqliteStore({ folder, clock: Date.now });
t.teardown(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

async function idsOf({ documents, filter, sort }: FilterCase, indexes: readonly string[]): Promise<string[]> {
  const collection = "cases";
  await store.dropCollection(collection);
  await store.ensureCollection({ name: collection, indexes: indexes.map((path) => ({ paths: [path] })) });
  await store.commit(
    documents.map((document, n): Write => {
      const id = String(document._id);
      return { kind: "put", collection, id, expect: 0, version: n + 1, text: encodeValue(document) };
    }),
  );
  const { rows } = await store.find({ collection, filter, sort, limit: 1000, budget: PLENTY });
  return rows.map(({ id }) => id);
}

runFilterCases("sqlite without an index", (run) => idsOf(run, []));
runFilterCases("sqlite with an index", (run) => idsOf(run, run.indexPath === undefined ? [] : [run.indexPath]));
runFilterCases("sqlite with an index read backward", (run) =>
  idsOf(run, run.indexPath === undefined ? [] : [`-${run.indexPath}`]),
);
