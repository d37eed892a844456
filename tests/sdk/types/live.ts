// Judged by the compiler: what stands here must compile, and each line under `@ts-expect-error` must not.
import {
  ApiError,
  type Change,
  type Connection,
  createClient,
  type Doc,
  type Live,
  type LiveState,
  type Question,
} from "@galley/sdk";
import { db, type Same, same, type Todo, todos, type User } from "./schema.ts";

const list = todos.find({ done: false }).live((state) => {
  same<Same<typeof state, LiveState<Doc<Todo>[]>>>();
  const { data, changes, more, synced, pending, error, position } = state;
  same<Same<typeof data, Doc<Todo>[] | undefined>>();
  same<Same<typeof error, ApiError | undefined>>();
  same<Same<typeof position, string | undefined>>();
  const flags: boolean[] = [more, synced, pending];
  for (const { type, id, document, from, to } of changes) {
    same<Same<typeof document, Doc<Todo>>>();
    same<Same<typeof type, "added" | "updated" | "moved" | "removed">>();
    const places: [string, number, number] = [id, from, to];
    void places;
  }
  void flags;
  // @ts-expect-error there is none before the first answer
  data.length;
  // @ts-expect-error a state is never changed
  state.synced = true;
  // @ts-expect-error nor what it lists
  changes.push;
  // @ts-expect-error nor its documents
  if (data?.[0]) data[0].title = "x";
});
same<Same<typeof list, Live<Doc<Todo>[]>>>();
same<Same<Awaited<typeof list.ready>, Doc<Todo>[]>>();
list.close();
list[Symbol.dispose]();
for await (const { data = [] } of list) for (const { title } of data) title.toUpperCase();
// @ts-expect-error the newest state is told, not set
list.state = { ...list.state };
// @ts-expect-error it ends by `close`
list.end();

const one = todos.get("a").live();
same<Same<typeof one, Live<Doc<Todo> | null>>>();
same<Same<(typeof one.state.changes)[number], Change<Doc<Todo> | null>>>();
const change = one.state.changes[0];
same<Same<(typeof change & object)["document"], Doc<Todo>>>();
same<Same<(typeof one.state)["data"], Doc<Todo> | null | undefined>>();
// @ts-expect-error it may be absent
one.state.data?.title.length + one.state.data.title;

const first = todos.find({}, { sort: "-n" }).first().live();
same<Same<Awaited<typeof first.ready>, Doc<Todo> | null>>();
const count = todos
  .find()
  .count()
  .live(({ data }) => void data?.more);
same<Same<Awaited<typeof count.ready>, { count: number; more: boolean }>>();
const status = todos.find().distinct("status").live();
same<Same<Awaited<typeof status.ready>["values"], ("open" | "closed")[]>>();
const sums = todos
  .find()
  .aggregate({ group: ["status"], out: { total: { sum: "n" } } })
  .live();
same<Same<Awaited<typeof sums.ready>["groups"][number]["key"], readonly ["open" | "closed"]>>();
same<Same<Awaited<typeof sums.ready>["groups"][number]["out"], { readonly total: number }>>();
const slim = todos.find({}, { select: ["title", "items.price"] }).live();
same<Same<(typeof slim.state.data & object)[number]["title"], string>>();
// @ts-expect-error not selected
slim.state.data?.[0]?.done;
const joined = todos.find({}, { expand: ["owner"] }).live();
same<Same<(typeof joined.state.data & object)[number]["_expanded"]["owner"], Doc<User> | null>>();
// @ts-expect-error not expanded
joined.state.data?.[0]?._expanded.tags;

// @ts-expect-error takes a state
todos.find().live((state: string) => state);
// @ts-expect-error pages are asked for, not watched
todos.find().page().live();

// A question is a value: of what it answers, by its key.
const question: Question<Doc<Todo>[]> = todos.find();
const { key } = question;
same<Same<typeof key, string>>();
// @ts-expect-error its key is not set
question.key = "x";
function render<R>(asked: Question<R>): R | undefined {
  return asked.live().state.data;
}
same<Same<ReturnType<typeof render<Doc<Todo>[]>>, Doc<Todo>[] | undefined>>();
render(todos.get("a"))?.title.toUpperCase();

const connection: Connection = db.connection;
same<Same<typeof connection.status, "off" | "connecting" | "open" | "waiting">>();
const stop: () => void = connection.onChange(() => connection.pause());
stop();
connection.resume();
// @ts-expect-error it is told, not set
connection.status = "open";
// @ts-expect-error no such state
connection.status === "closed";

const any = createClient({ url: "http://localhost", optimistic: false }).collection("whatever").find().live();
same<Same<(typeof any.state.data & object)[number]["title"], unknown>>();
ApiError.is(any.state.error, "permission_denied");
todos.create({ ...({} as Todo) }, { optimistic: false });
// @ts-expect-error no such option
todos.find({}, { live: true });
