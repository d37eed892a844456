import { byBytes, type Question, sorted } from "./question.ts";

export const COUNTRY_QUESTIONS: readonly Question[] = [
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
];
