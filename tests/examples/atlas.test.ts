/** The atlas example on a real Galley: 171,075 cities imported through the API, every question against array code. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createClient } from "@galley/sdk";
import t from "tap";
import { WebSocket as NodeSocket } from "ws";
import { COLLECTIONS } from "../../docs/examples/atlas/collections.ts";
import type { Schema } from "../../docs/examples/atlas/galley.d.ts";
import { boardsOf, PLACES, playedOf, roundsOf, watchBoards, write } from "../../docs/examples/atlas/leaderboard.ts";
import { QUESTIONS } from "../../docs/examples/atlas/questions.ts";
import { cityDocument, countryDocument, sourceCities, sourceCountries } from "../../docs/examples/atlas/source.ts";
import { startApp, type TestApp } from "../support/app.ts";
import { galley, temporaryFolder } from "../support/command-line.ts";
import { onEachEngine } from "../support/engines.ts";
import { ROOT } from "../support/own-modules.ts";
import { until } from "../support/until.ts";

const WebSocket = NodeSocket as unknown as typeof globalThis.WebSocket;

const SOURCES = { countries: sourceCountries(), cities: sourceCities() };
/** What both engines are given, and what they must answer. */
const CITIES = SOURCES.cities.map(cityDocument);
const ANSWERS = new Map(QUESTIONS.map(({ title, expect }) => [title, expect(SOURCES)]));

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
  const open = () => createClient<Schema>({ url: app.url, serviceKey: app.key, WebSocket });
  const [db, ...writers] = [open(), open(), open(), open()];
  for (const body of COLLECTIONS) {
    t.match(await app.send("POST", "/v1/admin/collections", { body }), { status: 201 });
  }

  await t.test("the types are those that the server writes", async (t) => {
    const { out } = await galley(temporaryFolder(t), ["types", "--url", app.url], { GALLEY_SERVICE_KEY: app.key });
    t.equal(out, readFileSync(join(ROOT, "docs/examples/atlas/galley.d.ts"), "utf8"));
  });

  await t.test("every row goes in, and a second import changes nothing", async (t) => {
    await importRows(app, "countries", SOURCES.countries.map(countryDocument));
    const started = performance.now();
    const first = await importRows(app, "cities", CITIES);
    t.comment(`171,075 cities in ${((performance.now() - started) / 1000).toFixed(1)} s`);
    t.equal(first.length, CITIES.length);
    t.ok(first.every((line) => line.includes('"created"')));
    const again = await importRows(app, "cities", CITIES.slice(0, 5000));
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
    const german = CITIES.filter((city) => city.country === "DE").sort((a, b) => (a._id < b._id ? -1 : 1));
    for (const city of german) source.update(JSON.stringify(city));
    t.equal(count, german.length);
    t.equal(stored.digest("hex"), source.digest("hex"));
  });

  for (const { title, ask } of QUESTIONS) {
    await t.test(title, async (t) => {
      const wanted = ANSWERS.get(title);
      t.not(wanted, undefined);
      t.strictSame(await ask(db), wanted);
    });
  }

  await t.test(
    "boards of the most visited cities show every commit of several writers, and nothing in between",
    async (t) => {
      const rounds = roundsOf(CITIES, 40);
      const visitors = new Map<string, number>();
      /** What the boards may show: some of this round's writes, each whole, on all of the rounds before. */
      let may: ReturnType<typeof boardsOf>[] = [boardsOf([], visitors)];
      const wrong: unknown[] = [];
      let states = 0;
      const isSame = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
      const played = playedOf(CITIES);
      const boards = watchBoards(db, () => {
        states++;
        const shown = { world: boards.world(), country: boards.country() };
        if (!may.some((one) => isSame(one, shown))) wrong.push(shown, may);
      });
      await boards.ready;
      for (const round of rounds) {
        may = Array.from({ length: 2 ** round.length }, (_, some) => {
          const written = round.filter((_, i) => (some >> i) & 1).flat();
          return boardsOf(played, new Map([...visitors, ...written]));
        });
        await Promise.all(round.map((visits, i) => write(writers[i] ?? db, visits)));
        for (const [id, count] of round.flat()) visitors.set(id, count);
        const last = may.at(-1);
        await until(() => isSame({ world: boards.world(), country: boards.country() }, last), 20, "the round's end");
      }
      t.same(wrong.slice(0, 2), []);
      t.ok(states > rounds.length, `${states} states`);
      t.equal(boards.world().length, PLACES);
      t.same(
        (
          await db.collection("cities").find({ visitors: { $gt: 0 } }, { sort: ["-visitors", "name"], limit: PLACES })
        ).map(({ _id, visitors }) => [_id, visitors]),
        boardsOf(played, visitors).world,
      );
      boards.close();
    },
  );
  for (const client of [db, ...writers]) client.close();
});
