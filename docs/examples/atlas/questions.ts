/**
 * Real questions about the atlas. `ask` puts one to Galley through the SDK; `expect` answers it with plain array code
 * over the packages' own JSON, and the tests hold the two against each other.
 */
import type { Client } from "@galley/sdk";
import type { City, Country, SourceCity, SourceCountry } from "./source.ts";

export interface Schema {
  countries: Country;
  cities: City;
}

export interface Sources {
  readonly countries: readonly SourceCountry[];
  readonly cities: readonly SourceCity[];
}

export interface Question {
  readonly title: string;
  ask(db: Client<Schema>): Promise<unknown>;
  expect(sources: Sources): unknown;
}

/** The order of the language: by UTF-8 bytes. */
const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
const sorted = (texts: Iterable<string>) => [...new Set(texts)].sort(byBytes);

const REVIEWS = [
  { by: "ann", stars: 3 },
  { by: "bob", stars: 5 },
  { by: "cy", stars: 1 },
  { by: "di", stars: 4 },
];

export const QUESTIONS: readonly Question[] = [
  {
    title: "one country by its id",
    ask: async (db) => (await db.collection("countries").get("FR"))?.name.official,
    expect: ({ countries }) => countries.find((c) => c.cca2 === "FR")?.name.official,
  },
  {
    title: "countries bordering both Germany and France",
    ask: async (db) =>
      sorted((await db.collection("countries").find({ borders: { $all: ["DEU", "FRA"] } })).map((c) => c.cca3)),
    expect: ({ countries }) =>
      sorted(countries.filter((c) => c.borders.includes("DEU") && c.borders.includes("FRA")).map((c) => c.cca3)),
  },
  {
    title: "the five largest landlocked countries of Africa",
    ask: async (db) =>
      (await db.collection("countries").find({ region: "Africa", landlocked: true }, { sort: "-area", limit: 5 })).map(
        (c) => c.name.common,
      ),
    expect: ({ countries }) =>
      countries
        .filter((c) => c.region === "Africa" && c.landlocked)
        .sort((a, b) => b.area - a.area)
        .slice(0, 5)
        .map((c) => c.name.common),
  },
  {
    title: "how many countries pay in euros: a field of objects in an array",
    ask: async (db) => (await db.collection("countries").find({ "currencies.code": "EUR" }).count()).count,
    expect: ({ countries }) => countries.filter((c) => "EUR" in c.currencies).length,
  },
  {
    title: "one currency that is both a dollar and written $: both tests on the same element",
    ask: async (db) =>
      sorted(
        (
          await db
            .collection("countries")
            .find({ currencies: { $elemMatch: { symbol: "$", name: { $endsWith: "dollar" } } } }, { limit: 1000 })
        ).map((c) => c.cca2),
      ),
    expect: ({ countries }) =>
      sorted(
        countries
          .filter((c) => Object.values(c.currencies).some((m) => m.symbol === "$" && m.name.endsWith("dollar")))
          .map((c) => c.cca2),
      ),
  },
  {
    title: "countries without a land border",
    ask: async (db) =>
      (
        await db
          .collection("countries")
          .find({ borders: { $size: 0 } })
          .count()
      ).count,
    expect: ({ countries }) => countries.filter((c) => c.borders.length === 0).length,
  },
  {
    title: "neither independent nor in the United Nations, in Europe",
    ask: async (db) =>
      sorted(
        (
          await db.collection("countries").find({ region: "Europe", $nor: [{ independent: true }, { unMember: true }] })
        ).map((c) => c.name.common),
      ),
    expect: ({ countries }) =>
      sorted(countries.filter((c) => c.region === "Europe" && !c.independent && !c.unMember).map((c) => c.name.common)),
  },
  {
    title: "German names that begin with Ver",
    ask: async (db) =>
      sorted(
        (await db.collection("countries").find({ "translations.deu.common": { $startsWith: "Ver" } })).map(
          (c) => c.translations.deu?.common ?? "",
        ),
      ),
    expect: ({ countries }) =>
      sorted(countries.map((c) => c.translations.deu?.common ?? "").filter((name) => name.startsWith("Ver"))),
  },
  {
    title: "the southernmost lands: an index into an array, and only two fields of each",
    ask: async (db) =>
      sorted(
        (await db.collection("countries").find({ "latlng.0": { $lt: -40 } }, { select: ["cca2", "latlng"] })).map((c) =>
          JSON.stringify([c.cca2, c.latlng]),
        ),
      ),
    expect: ({ countries }) =>
      sorted(countries.filter((c) => (c.latlng[0] as number) < -40).map((c) => JSON.stringify([c.cca2, c.latlng]))),
  },
  {
    title: "countries and area by continent",
    ask: async (db) =>
      (
        await db
          .collection("countries")
          .find()
          .aggregate({
            group: ["region"],
            out: { n: { count: true }, largest: { max: "area" } },
            sort: ["-n"],
          })
      ).groups.map(({ key, out }) => [key[0], out.n, out.largest]),
    expect: ({ countries }) =>
      [...new Set(countries.map((c) => c.region))]
        .map((region) => countries.filter((c) => c.region === region))
        .map((of) => [of[0]?.region, of.length, Math.max(...of.map((c) => c.area))] as [string, number, number])
        .sort((a, b) => b[1] - a[1] || byBytes(a[0], b[0])),
  },
  {
    title: "the subregions of Africa",
    ask: async (db) => (await db.collection("countries").find({ region: "Africa" }).distinct("subregion")).values,
    expect: ({ countries }) => sorted(countries.filter((c) => c.region === "Africa").map((c) => c.subregion)),
  },
  {
    title: "every border code that is named anywhere: distinct opens arrays",
    ask: async (db) => (await db.collection("countries").find().distinct("borders")).values.length,
    expect: ({ countries }) => new Set(countries.flatMap((c) => c.borders)).size,
  },
  {
    title: "all cities of Switzerland by name, page by page",
    ask: async (db) => {
      const names: string[] = [];
      const pages = db.collection("cities").find({ country: "CH" }, { sort: "name", limit: 200 }).pages();
      for await (const page of pages) names.push(...page.map((city) => city.name));
      return names;
    },
    expect: ({ cities }) =>
      cities
        .filter((c) => c.country === "CH")
        .map((c) => c.name)
        .sort(byBytes),
  },
  {
    title: "the ten northernmost cities",
    ask: async (db) =>
      (await db.collection("cities").find({ lat: { $gt: 65 } }, { sort: "-lat", limit: 10 })).map((c) => c.lat),
    expect: ({ cities }) =>
      cities
        .map((c) => Number(c.lat))
        .sort((a, b) => b - a)
        .slice(0, 10),
  },
  {
    title: "places called San José",
    ask: async (db) => (await db.collection("cities").find({ name: "San José" }).count()).count,
    expect: ({ cities }) => cities.filter((c) => c.name === "San José").length,
  },
  {
    title: "the ten countries with the most cities",
    ask: async (db) =>
      (
        await db
          .collection("cities")
          .find()
          .aggregate({
            group: ["country"],
            out: { n: { count: true } },
            sort: ["-n"],
            limit: 10,
          })
      ).groups.map(({ key, out }) => [key[0], out.n]),
    expect: ({ cities }) => {
      const counts = new Map<string, number>();
      for (const { country } of cities) counts.set(country, (counts.get(country) ?? 0) + 1);
      return [...counts].sort((a, b) => b[1] - a[1] || byBytes(a[0], b[0])).slice(0, 10);
    },
  },
  {
    title: "the first city of Japan by name, with its country beside it",
    ask: async (db) => {
      const city = await db
        .collection("cities")
        .find({ country: "JP" }, { sort: "name", expand: ["country"] })
        .first();
      const country = (city as { _expanded?: { country?: Country } } | null)?._expanded?.country;
      return [city?.name, country?.name.common];
    },
    expect: ({ cities, countries }) => [
      cities
        .filter((c) => c.country === "JP")
        .map((c) => c.name)
        .sort(byBytes)[0],
      countries.find((c) => c.cca2 === "JP")?.name.common,
    ],
  },
  {
    title: "French towns with ville in their name",
    ask: async (db) =>
      (
        await db
          .collection("cities")
          .find({ country: "FR", name: { $contains: "ville" } })
          .count()
      ).count,
    expect: ({ cities }) => cities.filter((c) => c.country === "FR" && c.name.includes("ville")).length,
  },
  {
    title: "cities in a box around the equator and Greenwich, by longitude and then name",
    ask: async (db) =>
      (
        await db
          .collection("cities")
          .find({ lat: { $gte: -5, $lte: 5 }, lng: { $gte: 8, $lte: 12 } }, { sort: ["lng", "name"], limit: 1000 })
      ).map((c) => [c.lng, c.name]),
    expect: ({ cities }) =>
      cities
        .map((c) => ({ lat: Number(c.lat), lng: Number(c.lng), name: c.name }))
        .filter((c) => c.lat >= -5 && c.lat <= 5 && c.lng >= 8 && c.lng <= 12)
        .sort((a, b) => a.lng - b.lng || byBytes(a.name, b.name))
        .slice(0, 1000)
        .map((c) => [c.lng, c.name]),
  },
  {
    title: "updates with operators: a counter, a set and a list that keeps the best three",
    ask: async (db) => {
      const countries = db.collection("countries");
      for (const { by, stars } of REVIEWS) {
        await countries.update("PT", {
          $inc: { visits: 1 },
          $addToSet: { tags: "sea" },
          $push: { notes: { $each: [{ by, stars }], $sort: ["-stars"], $slice: 3 } },
        });
      }
      const portugal = await countries.get("PT");
      await countries.update("PT", { $unset: ["visits", "tags", "notes"] });
      return [portugal?.visits, portugal?.tags, portugal?.notes?.map((note) => note.by)];
    },
    expect: () => [
      REVIEWS.length,
      ["sea"],
      [...REVIEWS]
        .sort((a, b) => b.stars - a.stars)
        .slice(0, 3)
        .map((review) => review.by),
    ],
  },
  {
    title: "a batch is all or nothing",
    ask: async (db) => {
      const countries = db.collection("countries");
      const refused = await db
        .batch((b) => {
          b.collection("countries").update("NO", { $set: { visits: 1 } });
          b.collection("countries").update("XX", { $set: { visits: 1 } });
        })
        .then(
          () => "applied",
          (error: { code?: string }) => error.code,
        );
      const untouched = (await countries.get("NO"))?.visits;
      const applied = await db.batch((b) => {
        b.collection("countries").update("NO", { $inc: { visits: 2 } });
        b.collection("countries").update("SE", { $inc: { visits: 3 } });
      });
      const visits = [(await countries.get("NO"))?.visits, (await countries.get("SE"))?.visits];
      await db.batch((b) => {
        b.collection("countries").update("NO", { $unset: ["visits"] });
        b.collection("countries").update("SE", { $unset: ["visits"] });
      });
      return [refused, untouched, applied.map((result) => result.id), visits];
    },
    expect: () => ["not_found", undefined, ["NO", "SE"], [2, 3]],
  },
];
