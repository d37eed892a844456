/** Galley as its environment says, which prints on SIGUSR2 how often live queries of `posts` have read the store so far. */
import { createApp } from "../../../server/app.ts";
import { readConfig } from "../../../server/config.ts";
import type { FindQuery } from "../../../server/stores/document-store.ts";

const app = await createApp(readConfig({ mode: "production", env: { ...process.env, GALLEY_LOG_LEVEL: "error" } }));
const { find } = app.store;
let reads = 0;
Object.assign(app.store, {
  find(query: FindQuery) {
    // Only live queries read where the order of commits stands.
    if (query.collection === "posts" && query.at !== undefined) reads++;
    return find(query);
  },
});
console.log(`${(await app.listen()).url} `);

process.on("SIGUSR2", () => console.log(`reads ${reads} `));
process.once("SIGTERM", async () => {
  await app.close();
  process.exit(0);
});
