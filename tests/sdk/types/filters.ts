// Judged by the compiler: what stands here must compile, and each line under `@ts-expect-error` must not.
import { db, plain, todos } from "./schema.ts";

todos.find();
todos.find({});
todos.find({ done: false, n: { $gte: 3 } }, { sort: "-n", limit: 10 });
todos.find({ title: "x", status: "open", due: { $lt: new Date() }, size: { $gt: 5n, $lte: 7 } });
todos.find({ title: { $in: ["a", "b"], $startsWith: "a" }, note: null, due: null, photo: new Uint8Array() });
todos.find({ title: { $not: { $startsWith: "x" } }, n: { $mod: [2, 0], $exists: true, $type: ["number", "int64"] } });
todos.find({ tags: "x" });
todos.find({ tags: ["x", "y"] });
todos.find({ tags: { $size: 2, $all: ["x"], $elemMatch: { $startsWith: "a" }, $in: ["x"] }, "tags.0": "x" });
todos.find({ "author.name": "Ada", "author.address.city": { $ne: "Rome" }, "author.address.zip.code": { $lt: 5 } });
todos.find({ "author.address": null, "author.address.zip.parts.a.b.c.d": "deeper paths are any text" });
todos.find({
  "items.price": { $gte: 1 },
  "items.0.name": "x",
  items: { $elemMatch: { name: "x", price: { $lt: 2 } } },
});
todos.find({ "items.marks": 3, "scores.math": { $gt: 1 }, "extra.any.thing": { $gte: 1 }, extra: 1 });
todos.find({ $or: [{ n: 1 }, { $nor: [{ done: true }] }], $and: [{ title: "x" }] });
todos.find({ _id: { $in: ["a"] }, _createdAt: { $gte: new Date(0) }, _v: 1 });
plain.find({ done: true, "author.name": { $contains: "d" } });

// @ts-expect-error no such field
todos.find({ titel: "x" });
// @ts-expect-error no such field below
todos.find({ "author.nam": "x" });
// @ts-expect-error no such field in the elements
todos.find({ "items.cost": 1 });
// @ts-expect-error a boolean
todos.find({ done: "yes" });
// @ts-expect-error none of the values
todos.find({ status: "opne" });
// @ts-expect-error a number has no text
todos.find({ n: { $startsWith: "1" } });
// @ts-expect-error text is no number
todos.find({ title: { $gte: 3 } });
// @ts-expect-error text has no remainder
todos.find({ title: { $mod: [2, 0] } });
// @ts-expect-error no array
todos.find({ title: { $size: 1 } });
// @ts-expect-error no array
todos.find({ n: { $elemMatch: { $gt: 1 } } });
// @ts-expect-error objects have no order
todos.find({ author: { $gt: { name: "x" } } });
// @ts-expect-error a field that is always there is never null
todos.find({ title: null });
// @ts-expect-error no such operator
todos.find({ n: { $above: 3 } });
// @ts-expect-error no such operator
todos.find({ $where: "1" });
// @ts-expect-error a list
todos.find({ n: { $in: 3 } });
// @ts-expect-error one wrong element
todos.find({ title: { $in: ["a", 1] } });
// @ts-expect-error wrong in a branch
todos.find({ $or: [{ n: "1" }] });
// @ts-expect-error wrong in an element
todos.find({ items: { $elemMatch: { price: "x" } } });
// @ts-expect-error the server's own fields are these four
todos.find({ _secret: 1 });
// @ts-expect-error a date is no text
todos.find({ due: "2026-01-01" });
// @ts-expect-error another type by another collection
plain.find({ done: 1 });
// @ts-expect-error no such path to sort by
todos.find({}, { sort: "-titel" });
// @ts-expect-error no sort by an index
todos.find({}, { sort: "tags.0" });
// @ts-expect-error a number
todos.find({}, { limit: "10" });

todos.find({}, { sort: ["-author.name", "items.price", "_createdAt"] });

const trees = db.collection("trees");
trees.find({ "root.leaf": { $gt: 1 }, "root.below.leaf": 1, "root.0.leaf": 1, "grid.0.1.cell": 2 });
trees.update("a", { "root.0.leaf": 1, "grid.0.1.cell": 2 });
trees.find({}, { select: ["grid.cell"] });
// @ts-expect-error no such field, however deep the type may go
trees.find({ "root.leafs": 1 });
// @ts-expect-error a list in a list is entered by its index
trees.find({ "grid.cell": 2 });
// @ts-expect-error a number
trees.find({ "grid.0.1.cell": "x" });
