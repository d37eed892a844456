// Judged by the compiler: what stands here must compile, and each line under `@ts-expect-error` must not.
// Paths four keys deep, through arrays, wherever a path is written.
import { type BatchResult, createClient, type Defined, type Doc } from "@galley/sdk";
import { type Same, same } from "./schema.ts";

interface Order {
  number: bigint;
  customer: { name: string; address: { street: { name: string; number: number; flat: { door: string } } } };
  parcels: { sent?: Date; lines: { product: string; count: number; tags: string[]; price: { net: number } }[] }[];
  history: { by: string; at: Date }[] | null;
  notes?: Record<string, { text: string }>;
}
interface Schema {
  orders: Defined<
    Order,
    { defaults: "history" | "customer.name"; refs: { "parcels.lines.product": "products"; "history.by": "users" } }
  >;
  products: { name: string };
  users: { name: string };
}
const db = createClient<Schema>({ url: "http://localhost" });
const orders = db.collection("orders");

// Filters: through arrays, by an index of one, and by what their elements hold.
orders.find({ "customer.address.street.name": "Main", "customer.address.street.number": { $gte: 3 } });
orders.find({ "parcels.lines.product": "p", "parcels.lines.count": { $gt: 1 }, "parcels.lines.tags": "new" });
orders.find({ "parcels.0.lines.1.count": { $mod: [2, 0] }, "parcels.lines.price": { net: 3 } });
orders.find({ parcels: { $elemMatch: { "lines.count": { $gt: 1 }, sent: { $exists: true } } } });
orders.find({ "parcels.lines": { $elemMatch: { product: "p", "price.net": { $lt: 5 } } } });
orders.find({ "parcels.sent": { $lt: new Date() }, history: null, "history.at": { $gte: new Date() } });
orders.find({ "customer.address.street.flat.door": "below four keys any text", "notes.first.text": "by any name" });
orders.find({ number: 5, $nor: [{ number: { $gt: 2n } }] });
// @ts-expect-error no such field, three keys down
orders.find({ "customer.address.strete": 1 });
// @ts-expect-error nor four
orders.find({ "customer.address.street.nmae": "x" });
// @ts-expect-error nor in the elements of elements
orders.find({ "parcels.lines.cuont": 1 });
// @ts-expect-error the elements' field is a number
orders.find({ "parcels.lines.count": "1" });
// @ts-expect-error a number has no text
orders.find({ "parcels.lines.price.net": { $startsWith: "1" } });
// @ts-expect-error dates are no numbers
orders.find({ "history.at": { $gt: 5 } });
// @ts-expect-error wrong in an element of an element
orders.find({ parcels: { $elemMatch: { "lines.count": "1" } } });
// @ts-expect-error an object has no order
orders.find({ "customer.address": { $gt: {} } });
// @ts-expect-error what is always there is never null
orders.find({ "customer.name": null });
// @ts-expect-error a negation takes what the field takes
orders.find({ "parcels.lines.count": { $not: { $contains: "1" } } });
// @ts-expect-error whole arrays are not compared by size
orders.find({ parcels: { $size: "2" } });
// @ts-expect-error text has no elements
orders.find({ "customer.name": { $all: ["x"] } });
// @ts-expect-error true or false
orders.find({ "parcels.sent": { $exists: "yes" } });
// @ts-expect-error a class of values
orders.find({ number: { $type: "integer" } });

orders.find({}, { sort: ["-parcels.lines.count", "customer.address.street.number"] });
// @ts-expect-error no such path to sort by
orders.find({}, { sort: "parcels.lines.cuont" });

const [picked] = await orders.find({}, { select: ["parcels.lines.product", "customer.address.street.number"] });
if (picked) {
  const { parcels, customer } = picked;
  same<Same<typeof customer.address.street, { readonly number: number }>>();
  const product: string | undefined = parcels[0]?.lines[0]?.product;
  void product;
  // @ts-expect-error not selected
  parcels[0]?.sent;
  // @ts-expect-error not selected
  parcels[0]?.lines[0]?.count;
  // @ts-expect-error not selected
  customer.name;
}
// @ts-expect-error no such path
orders.get("a", { select: ["customer.address.streets"] });

const { values: products } = await orders.find().distinct("parcels.lines.product");
same<Same<typeof products, string[]>>();
const { values: counts } = await orders.find().distinct("parcels.lines.count");
same<Same<typeof counts, number[]>>();
// @ts-expect-error no such path
orders.find().distinct("parcels.lines.prodcut");

const { groups } = await orders.find().aggregate({
  group: ["customer.address.street.name", "parcels.lines.product"],
  out: { net: { sum: "parcels.lines.price.net" }, last: { max: "parcels.sent" }, biggest: { max: "number" } },
});
for (const { key, out } of groups) {
  same<Same<(typeof key)[0], string>>();
  const [street, product]: readonly [string, string | null] = key;
  same<Same<[typeof out.net, typeof out.last], [number, Date | null]>>();
  const biggest: number | bigint | null = out.biggest;
  void [street, product, biggest];
  // @ts-expect-error two paths, two values
  key[2];
}
// @ts-expect-error no such path
orders.find().aggregate({ group: [], out: { n: { sum: "parcels.lines.cuont" } } });
// @ts-expect-error counts all
orders.find().aggregate({ group: [], out: { n: { count: "number" } } });

orders.update("a", {
  "customer.address.street.number": 4,
  "parcels.0.lines.1.count": 2,
  "parcels.$[].sent": new Date(),
});
orders.update("a", { $inc: { "parcels.0.lines.$[].count": 1 }, $push: { "parcels.0.lines.1.tags": "x" } });
orders.update("a", { $push: { history: { by: "u", at: new Date() } }, $now: ["parcels.0.sent"], $inc: { number: 1n } });
orders.update("a", { $pull: { "parcels.0.lines": { count: { $lt: 1 } } }, $unset: ["parcels.1.sent"] });
// @ts-expect-error which of the parcels?
orders.update("a", { "parcels.lines.count": 2 });
// @ts-expect-error which of the lines?
orders.update("a", { $inc: { "parcels.0.lines.count": 2 } });
// @ts-expect-error a number
orders.update("a", { "parcels.0.lines.1.count": "2" });
// @ts-expect-error only numbers count
orders.update("a", { $inc: { "parcels.0.lines.1.product": 1 } });
// @ts-expect-error no such field in the element
orders.update("a", { $push: { history: { by: "u", when: new Date() } } });
// @ts-expect-error not a list
orders.update("a", { $push: { "customer.name": "x" } });
// @ts-expect-error no date
orders.update("a", { $now: ["parcels.0.lines.1.count"] });
// @ts-expect-error whom it is made by is the server's word
orders.update("a", { $set: { _createdAt: new Date() } });

const [expanded] = await orders.find({}, { expand: ["parcels.lines.product", "history.by"] });
if (expanded) {
  const through = expanded._expanded["parcels.lines.product"];
  same<Same<typeof through, (Doc<{ name: string }> | null)[]>>();
  const by = expanded._expanded["history.by"];
  same<Same<typeof by, (Doc<{ name: string }> | null)[] | null>>();
}
// @ts-expect-error no reference
orders.get("a", { expand: ["parcels.lines"] });

declare const order: Order;
const { history, customer, ...rest } = order;
orders.create({ ...rest, customer: { address: customer.address } });
orders.create({ ...rest, history, customer });
// @ts-expect-error the address has no default
orders.create({ ...rest, customer: { name: "Ann" } });
// @ts-expect-error nor have the parcels
orders.create({ number: 1n, customer });

const results = await db.batch((b) => {
  const id = b.collection("orders").create(order);
  b.collection("orders").update(id, { $inc: { "parcels.0.lines.1.count": 1 } });
  b.collection("orders").set("a", order, { ifVersion: 3 });
  b.collection("products").delete("p", { ifVersion: 2 });
  // @ts-expect-error what it makes is known when all is stored
  b.collection("orders").create(order)._v;
  // @ts-expect-error no such field
  b.collection("products").set("p", { title: "x" });
  // @ts-expect-error one key for all of them
  b.collection("products").delete("p", { idempotencyKey: "x" });
});
same<Same<typeof results, BatchResult[]>>();
// @ts-expect-error all are sent together, when the function has returned
db.batch(async () => {}).then(([one]) => one.document);

const total = await db.transaction(
  async (tx) => {
    const found = await tx.collection("orders").get("a");
    same<Same<typeof found, Doc<Order> | null>>();
    tx.collection("orders").check("b", { ifVersion: 0 });
    // @ts-expect-error it may be absent
    found.number;
    // @ts-expect-error no such collection
    tx.collection("order");
    // @ts-expect-error reads whole documents
    tx.collection("orders").get("a", { select: ["number"] });
    return found?.number ?? 0n;
  },
  { attempts: 2 },
);
same<Same<typeof total, bigint>>();
// @ts-expect-error a number
db.transaction(async () => {}, { attempts: "2" });
// @ts-expect-error waits for what is read
db.transaction(() => 5);
