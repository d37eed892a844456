/**
 * Galley as its environment says, with `BENCH_PEOPLE` people in it. With `BENCH_LEAK_MS` it has a leak: whatever finds
 * somebody by their address takes so many milliseconds longer than what finds nobody.
 */
import { randomBytes } from "node:crypto";
import { writeCredential } from "../../../server/accounts/passwords/credentials.ts";
import { createPasswordHasher } from "../../../server/accounts/passwords/password-hash.ts";
import { fresh } from "../../../server/accounts/record.ts";
import { userCollection, writeUser } from "../../../server/accounts/users.ts";
import { createApp } from "../../../server/app.ts";
import { readConfig } from "../../../server/config.ts";
import type { DocumentStore, FindQuery } from "../../../server/stores/document-store.ts";
import { knownAddress, PASSWORD } from "../harness/people.ts";

const AT_ONCE = 50;

const app = await createApp(readConfig({ mode: "production", env: { ...process.env, GALLEY_LOG_LEVEL: "error" } }));
const { url } = await app.listen();
await addPeople(app.store, Number(process.env.BENCH_PEOPLE));
const leak = Number(process.env.BENCH_LEAK_MS);
if (leak > 0) plantLeak(app.store, leak);
console.log(`${url} `);

process.once("SIGTERM", async () => {
  await app.close();
  process.exit(0);
});

/** They have proven addresses and all the same password, whose hash costs what any does. */
async function addPeople(store: DocumentStore, count: number): Promise<void> {
  const hasher = createPasswordHasher({ random: (bytes) => randomBytes(bytes), cores: 2, poolThreads: 8 });
  const password = await hasher.hash(PASSWORD, { account: "bench", network: "bench" });
  const now = Date.now();
  for (let from = 0; from < count; from += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - from) }, (_, i) => from + i);
    await store.commit(
      some.flatMap((n) => {
        const email = knownAddress(n);
        const person = {
          ...fresh(`person-${n}`, now),
          pool: "user",
          guest: false,
          emailProvenAt: new Date(now),
        } as const;
        const user = { ...person, email, emailKey: email, data: {}, roles: [], claims: {} };
        const credential = { ...fresh(user.id, now), credentialVersion: 1, password };
        return [writeUser(store, user, now), writeCredential(store, credential, now)];
      }),
    );
  }
}

function plantLeak(store: DocumentStore, milliseconds: number): void {
  const { find } = store;
  Object.assign(store, {
    async find(query: FindQuery) {
      const found = await find(query);
      const end = performance.now() + milliseconds;
      if (query.collection === userCollection("user") && found.rows.length > 0) while (performance.now() < end);
      return found;
    },
  });
}
