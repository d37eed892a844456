import { byBytes, type Question } from "./question.ts";

export const CITY_QUESTIONS: readonly Question[] = [
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
      return [city?.name, city?._expanded.country?.name.common];
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
];
