// Judged by the compiler: what stands here must compile, and each line under `@ts-expect-error` must not.
import { ApiError, createClient, type Defined, type Doc, type ErrorCode, type Page, type Question } from "@galley/sdk";
import { db, plain, type Same, same, type Todo, todos, type User } from "./schema.ts";

const one = await todos.get("a");
same<Same<typeof one, Doc<Todo> | null>>();
// @ts-expect-error it may be absent
one.title;
if (one) {
  const at: Date = one._createdAt;
  // @ts-expect-error read is not to be changed in place
  one.title = `${at}`;
  // @ts-expect-error nothing was expanded
  one._expanded;
}
const list = await todos.find({ done: false });
same<Same<typeof list, Doc<Todo>[]>>();
const first = await todos.find().first();
same<Same<(typeof first & object)["size"], bigint>>();
const page = await todos.find().page();
same<Same<typeof page, Page<Doc<Todo>>>>();
for await (const todos of plain.find().pages()) for (const { title } of todos) title.toUpperCase();

const picked = await todos.get("a", { select: ["title", "author.name", "items.price"] });
if (picked) {
  const { title, author, items, _id, _v } = picked;
  same<Same<[typeof title, typeof author.name, typeof _id, typeof _v], [string, string, string, number]>>();
  const price: number | undefined = items[0]?.price;
  // @ts-expect-error not selected
  picked.done;
  // @ts-expect-error not selected
  author.address;
  // @ts-expect-error not selected
  items[0]?.name;
  // @ts-expect-error not selected
  picked._createdAt;
  void price;
}
const scored = await todos.find({}, { select: ["scores.ann"] }).first();
same<Same<(typeof scored & object)["scores"], { readonly ann?: number }>>();
const [slim] = await todos.find({ done: true }, { select: ["due", "_updatedAt"], sort: "-due" });
same<Same<(typeof slim & object)["due"], Date | undefined>>();
// @ts-expect-error no such path
todos.find({}, { select: ["titel"] });

const [expanded] = await todos.find({}, { expand: ["owner", "tags", "items.by"] });
if (expanded) {
  const { owner, tags } = expanded._expanded;
  same<Same<typeof owner, Doc<User> | null>>();
  same<Same<typeof tags, (Doc<User> | null)[]>>();
  const by: (Doc<User> | null)[] = expanded._expanded["items.by"];
  const title: string = expanded.title;
  void [by, title];
}
type Team = Defined<{ leads?: string[] }, { refs: { leads: "users" } }>;
const team = await createClient<{ teams: Team; users: User }>({ url: "http://localhost" })
  .collection("teams")
  .find({}, { expand: ["leads"] })
  .first();
same<Same<(typeof team & object)["_expanded"]["leads"], (Doc<User> | null)[] | null>>();
// @ts-expect-error no reference
todos.find({}, { expand: ["title"] });
const both = await todos.get("a", { select: ["title"], expand: ["owner"] });
if (both) {
  const name: string | undefined = both._expanded.owner?.name;
  const owner: string = both.owner;
  // @ts-expect-error not selected
  both.done;
  void [name, owner];
}
const undefinedRefs = await plain.get("a", { expand: ["owner"] });
undefinedRefs?._expanded.owner;

const count: Question<{ count: number; more: boolean }> = todos.find().count({ cap: 5 });
const { values } = await todos.find().distinct("status");
same<Same<typeof values, ("open" | "closed")[]>>();
same<Same<Awaited<ReturnType<typeof distinctTags>>["values"], string[]>>();
async function distinctTags() {
  return todos.find().distinct("tags");
}
const sizes = await todos.find().distinct("size");
same<Same<(typeof sizes.values)[number], number | bigint>>();
// @ts-expect-error no such path
todos.find().distinct("titel");

const { groups } = await todos.find().aggregate({
  group: ["status", "author.name"],
  out: { n: { count: true }, total: { sum: "n" }, big: { sum: "size" }, mean: { avg: "n" }, last: { max: "due" } },
  sort: ["-n"],
  limit: 5,
});
for (const { key, out } of groups) {
  same<Same<typeof key, readonly ["open" | "closed", string]>>();
  same<Same<[typeof out.n, typeof out.total, typeof out.mean], [number, number, number | null]>>();
  same<Same<typeof out.big, number | bigint>>();
  same<Same<typeof out.last, Date | null>>();
  // @ts-expect-error no such output
  out.other;
}
// @ts-expect-error no such path
todos.find().aggregate({ group: ["stauts"], out: {} });
// @ts-expect-error no such function
todos.find().aggregate({ group: [], out: { n: { median: "n" } } });
void count;

// @ts-expect-error no such collection
db.collection("tods");
// @ts-expect-error the address is needed
createClient({});

// Without a schema any collection holds any documents, whose fields are to be looked at before use.
const any = createClient({ url: "http://localhost" }).collection("whatever");
any.find({ "a.b": { $gte: 1 }, $or: [{ x: 1 }] }, { sort: ["-a.b"], select: ["c"], expand: ["d"] });
any.update("a", { $inc: { n: 1 } });
any.create({ title: "x", deep: { er: [1] } });
any.set("a", { title: "x" } satisfies { title: string });
const thing = await any.get("a");
same<Same<(typeof thing & object)["title"], unknown>>();
const id: string | undefined = thing?._id;
void id;

try {
  await todos.delete("a");
} catch (error) {
  if (ApiError.is(error, "not_found", "network")) {
    const code: ErrorCode = error.code;
    const message: string | undefined = error.fields.title?.message;
    void [code, message];
  }
  // @ts-expect-error no such code
  ApiError.is(error, "not_fuond");
}
