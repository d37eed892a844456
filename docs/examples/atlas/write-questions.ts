import type { Question } from "./question.ts";

const REVIEWS = [
  { by: "ann", stars: 3 },
  { by: "bob", stars: 5 },
  { by: "cy", stars: 1 },
  { by: "di", stars: 4 },
];

export const WRITE_QUESTIONS: readonly Question[] = [
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
