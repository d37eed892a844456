/**
 * What most test files do once: a Galley that answers, another on a MongoDB that is not there. tests/vendors.mjs runs it, to
 * keep what V8 has compiled by then.
 */
import { writeFileSync } from "node:fs";
import { MongoClient } from "mongodb";
import t from "tap";
import { startApp } from "./app.ts";

/** A port that no program listens on; RFC 863's, long out of use. */
const NOBODY = "mongodb://127.0.0.1:9/galley";

await t.test("Galley answers", async (t) => {
  const app = await startApp();
  t.match(await app.send("PUT", "/v1/documents/posts/p", { body: { a: 1 } }), { status: 201 });
  t.strictSame((await app.send("POST", "/v1/documents/posts/count", { body: {} })).json.count, 1);
  await app.close();
});
const client = new MongoClient(NOBODY, { serverSelectionTimeoutMS: 100 });
await t.rejects(client.db().command({ ping: 1 }));
await client.close();
for (const loader of process.argv.slice(2)) {
  const { script, kept } = (await import(loader)) as { script: { createCachedData(): Uint8Array }; kept: string };
  writeFileSync(kept, script.createCachedData());
}
