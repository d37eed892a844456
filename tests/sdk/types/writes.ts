// Judged by the compiler: what stands here must compile, and each line under `@ts-expect-error` must not.
import type { Doc } from "@galley/sdk";
import { db, plain, type Todo, todos } from "./schema.ts";

declare const whole: Todo;
declare const stored: Doc<Todo>;
const { done, n, ...without } = whole;

todos.create(whole);
todos.create(without);
todos.create({ ...without, _id: "mine" });
todos.create({ ...without, done: true });
todos.set("a", stored);
todos.set("a", { ...stored, title: "x" }, { ifVersion: stored._v });
plain.create(whole, { idempotencyKey: "k" });
// @ts-expect-error without a definition nothing is filled in
plain.create(without);
// @ts-expect-error the title is missing
todos.create({ ...without, title: undefined });
// @ts-expect-error no such field
todos.create({ ...without, titel: "x" });
// @ts-expect-error a number
todos.create({ ...whole, n: "3" });
// @ts-expect-error an id is text
todos.create({ ...whole, _id: 5 });

db.collection("places").create({ at: { city: "Bern" }, stops: [{ city: "Rome" }, { city: "Oslo", nights: 3 }] });
// @ts-expect-error the city has no default
db.collection("places").create({ at: { country: "CH" }, stops: [] });
// @ts-expect-error of a stop neither
db.collection("places").create({ at: { city: "Bern" }, stops: [{ nights: 1 }] });

todos.update("a", { title: "x", "author.name": "Ada", "items.0.price": 3, due: new Date() });
todos.update("a", {
  $set: { title: "x", "tags.$[]": "y", "items.$[cheap].price": 1 },
  $arrayFilters: { cheap: { price: 0 } },
});
todos.update("a", { $inc: { n: 1, size: 5n, "items.0.price": 1, "author.address.zip.code": 1 }, $mul: { n: 2 } });
todos.update("a", { $push: { tags: "x", items: { $each: [], $sort: "-price", $slice: 5, $position: 0 } } });
todos.update("a", {
  $addToSet: { tags: { $each: ["x"] } },
  $pull: { items: { price: { $lt: 1 } } },
  $pop: { "items.0.marks": 1 },
});
todos.update("a", { $pull: { tags: { $startsWith: "x" } }, $pullAll: { tags: ["x"] }, $unset: ["due", "items.0.by"] });
todos.update("a", { $min: { due: new Date() }, $max: { n: 5 }, $now: ["due"], $rename: { note: "title" } });
todos.update("a", { note: null, "scores.math": 1, "extra.any": 1 }, { upsert: true, ifVersion: 0 });

// @ts-expect-error fields and operators do not mix
todos.update("a", { title: "x", $inc: { n: 1 } });
// @ts-expect-error not by a path either
todos.update("a", { "author.name": "x", $inc: { n: 1 } });
// @ts-expect-error no such field
todos.update("a", { titel: "x" });
// @ts-expect-error a boolean
todos.update("a", { done: "yes" });
// @ts-expect-error never set to nothing: $unset removes
todos.update("a", { due: null });
// @ts-expect-error no such operator
todos.update("a", { $increment: { n: 1 } });
// @ts-expect-error only numbers count
todos.update("a", { $inc: { title: 1 } });
// @ts-expect-error a number stays one
todos.update("a", { $inc: { n: 1n } });
// @ts-expect-error no array
todos.update("a", { $push: { title: "x" } });
// @ts-expect-error another element
todos.update("a", { $push: { tags: 5 } });
// @ts-expect-error an element is named by its index
todos.update("a", { "items.price": 3 });
// @ts-expect-error no date
todos.update("a", { $now: ["title"] });
// @ts-expect-error the server's own
todos.update("a", { _v: 3 });
// @ts-expect-error first or last
todos.update("a", { $pop: { tags: 2 } });
// @ts-expect-error a version is a number
todos.update("a", { n: 1 }, { ifVersion: "3" });

db.batch((b) => {
  const id: string = b.collection("users").create({ name: "Ada" });
  b.collection("todos").update("a", { owner: id }, { ifVersion: 1 });
  b.collection("todos").check("b", { ifVersion: 0 });
  // @ts-expect-error no such collection
  b.collection("tods");
  // @ts-expect-error no questions
  b.collection("todos").find();
  // @ts-expect-error what is checked?
  b.collection("todos").check("b", {});
  // @ts-expect-error a boolean
  b.collection("todos").update("a", { done: "yes" });
});

db.transaction(async (tx) => {
  const all = tx.collection("plain");
  const a = await all.get("a");
  if (!a || a.n < 10) throw new Error("too little");
  all.update("a", { $inc: { n: -10 } });
  // @ts-expect-error no queries inside: what is not there yet cannot be guarded
  all.find();
  return a.title;
}).then((title: string) => title);
