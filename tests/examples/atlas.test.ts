/** The atlas example on a real Galley: 171,075 cities imported through the API, every question against array code. */
import { createHash } from "node:crypto";
import { createClient } from "@galley/sdk";
import t from "tap";
import { COLLECTIONS } from "../../docs/examples/atlas/collections.ts";
import type { Schema } from "../../docs/examples/atlas/question.ts";
import { QUESTIONS } from "../../docs/examples/atlas/questions.ts";
import { cityDocument, countryDocument, sourceCities, sourceCountries } from "../../docs/examples/atlas/source.ts";
import { startApp, type TestApp } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";

const SOURCES = { countries: sourceCountries(), cities: sourceCities() };

async function importRows(app: TestApp, collection: string, documents: readonly object[]): Promise<string[]> {
  const body = documents.map((document) => JSON.stringify(document)).join("\n");
  const { status, text } = await app.send("POST", `/v1/admin/collections/${collection}/import`, {
    body,
    headers: { "content-type": "application/x-ndjson" },
  });
  if (status !== 200) throw new Error(text);
  return text.trimEnd().split("\n");
}

onEachEngine(t, async (t, engine) => {
  const app = await startApp({ engine });
  t.teardown(() => app.close());
  const db = createClient<Schema>({ url: app.url, serviceKey: app.key });
  for (const body of COLLECTIONS) {
    t.match(await app.send("POST", "/v1/admin/collections", { body }), { status: 201 });
  }
  const cities = SOURCES.cities.map(cityDocument);

  await t.test("every row goes in, and a second import changes nothing", async (t) => {
    await importRows(app, "countries", SOURCES.countries.map(countryDocument));
    const started = performance.now();
    const first = await importRows(app, "cities", cities);
    t.comment(`171,075 cities in ${((performance.now() - started) / 1000).toFixed(1)} s`);
    t.equal(first.length, cities.length);
    t.ok(first.every((line) => line.includes('"created"')));
    const again = await importRows(app, "cities", cities.slice(0, 5000));
    t.ok(again.every((line) => line.includes('"unchanged"')));
  });

  await t.test("what was stored is what the packages hold", async (t) => {
    const stored = createHash("sha256");
    const source = createHash("sha256");
    let count = 0;
    for await (const page of db.collection("cities").find({ country: "DE" }, { limit: 1000 }).pages()) {
      for (const { _v, _createdAt, _updatedAt, ...city } of page) {
        stored.update(JSON.stringify(city));
        count++;
      }
    }
    const german = cities.filter((city) => city.country === "DE").sort((a, b) => (a._id < b._id ? -1 : 1));
    for (const city of german) source.update(JSON.stringify(city));
    t.equal(count, german.length);
    t.equal(stored.digest("hex"), source.digest("hex"));
  });

  for (const { title, ask, expect } of QUESTIONS) {
    await t.test(title, async (t) => {
      const wanted = expect(SOURCES);
      t.not(wanted, undefined);
      t.strictSame(await ask(db), wanted);
    });
  }
  db.close();
});
