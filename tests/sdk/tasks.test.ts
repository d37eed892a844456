/**
 * The twelve tasks of an app developer, written as the design writes them (sdk.md 11). Two of them, the upload and the
 * address of a file, come with files.
 */
import { ApiError, createClient as createClientHere, type LiveState } from "@galley/sdk";
import t from "tap";
import { WebSocket } from "ws";
import { startApp } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";
import { mailFor } from "../support/mailbox.ts";
import { publishRules } from "../support/publish-rules.ts";
import { until } from "../support/until.ts";

interface Todo {
  title: string;
  done: boolean;
  n?: number;
}

interface Schema {
  todos: Todo;
  accounts: { balance: number };
}

const TODO = {
  required: ["title", "done"],
  properties: { title: { type: "string", minLength: 1 }, done: { type: "boolean" } },
};
const OPEN = { list: true, get: true, create: true, update: true };

onEachEngine(t, async (t, engine) => {
  const app = await startApp({ engine });
  t.teardown(() => app.close());
  await app.send("PATCH", "/v1/admin/settings", { body: { signUp: { confirm: "first" } } });
  const made = await app.send("POST", "/v1/admin/collections", { body: { name: "todos", schema: TODO } });
  t.equal(made.status, 201, made.text);
  for (const id of ["a", "b"]) await app.send("PUT", `/v1/documents/accounts/${id}`, { body: { balance: 15 } });
  await publishRules(app, { format: 1, collections: { todos: OPEN, accounts: OPEN } });

  // What an app has around its code.
  const { url } = app;
  const email = "ada@example.org";
  const password = "plum-orbit-lantern-42";
  const prompt = async (_what: string) => (await mailFor(app.folder, email, "verify")).code ?? "";
  const said: string[] = [];
  const console = { log: (text: string) => void said.push(text) };
  const shown: string[] = [];
  const show = (message: string | undefined) => void shown.push(`${message}`);
  const rendered: { titles: string[]; changes: string[]; synced: boolean; counts: (number | undefined)[] }[] = [];
  const render = (data: readonly Todo[] = [], changes: LiveState<Todo[]>["changes"], synced: boolean) =>
    void rendered.push({
      ...{ titles: data.map(({ title }) => title), counts: data.map(({ n }) => n) },
      ...{ changes: changes.map(({ type }) => type), synced },
    });
  // Node 20 has no WebSocket of its own.
  const createClient = <S>(options: { url: string }) =>
    createClientHere<S>({ ...options, WebSocket: WebSocket as never });

  t.test("the twelve tasks", async (t) => {
    const db = createClient<Schema>({ url }); // 1 init
    t.teardown(() => db.close());

    const { next } = await db.auth.signUp({ email, password }); // 2 sign up
    if (next) await db.auth.finish(next, { code: await prompt("Code from the mail") });
    t.ok(next, "the address is proven first");
    t.match(db.auth.user, { email, emailProven: true });

    await db.auth.signOut();
    await db.auth.signIn({ email, password }); // 3 sign in
    t.match(db.auth.user, { email });

    const todos = db.collection("todos");
    const todo = await todos.create({ title: "Buy milk", done: false, n: 3 }); // 4 create
    t.match(todo, { title: "Buy milk", done: false, n: 3, _id: String, _v: Number, _createdAt: Date });

    const same = await todos.get(todo._id); // 5 get: Doc<Todo> | null
    t.strictSame(same, todo);
    t.equal(await todos.get("none"), null);

    await todos.create({ title: "Call Ann", done: false, n: 5 });
    await todos.create({ title: "Sleep", done: true, n: 9 });
    await todos.create({ title: "Read", done: false, n: 2 });
    const open = todos.find({ done: false, n: { $gte: 3 } }, { sort: "-n", limit: 10 }); // 6 filter, sort, limit
    for (const t of await open) console.log(t.title);
    t.strictSame(said, ["Call Ann", "Buy milk"]);

    const live = open.live(({ data, changes, synced }) => render(data, changes, synced)); // 7 live: the same question
    await live.ready;
    await until(() => rendered.length > 0);
    t.strictSame(rendered[0], {
      ...{ titles: ["Call Ann", "Buy milk"], counts: [5, 3], changes: ["added", "added"], synced: true },
    });
    await app.send("POST", "/v1/documents/todos", { body: { title: "Write", done: false, n: 4 } });
    await until(() => rendered.at(-1)?.titles.join() === "Call Ann,Write,Buy milk");
    t.match(rendered.at(-1), { changes: ["added"], synced: true });

    const answered = todos.update(todo._id, { $inc: { n: 1 } }); // 8 optimistic: already shown in `live`
    let isAnswered = false;
    answered.then(() => {
      isAnswered = true;
    });
    await until(() => rendered.at(-1)?.counts.join() !== "5,4,3");
    t.match([rendered.at(-1), isAnswered], [{ synced: false }, false], "before the server has said anything");
    await answered;
    await until(() => live.state.synced);
    t.strictSame(live.state.data, await open);

    const pay = () =>
      db.transaction(async (tx) => {
        // 9 transaction
        const accounts = tx.collection("accounts");
        const a = await accounts.get("a");
        if (!a || a.balance < 10) throw new Error("too little");
        accounts.update("a", { $inc: { balance: -10 } });
        accounts.update("b", { $inc: { balance: 10 } });
      });
    await pay();
    await t.rejects(pay(), { message: "too little" });
    const balances = await Promise.all(["a", "b"].map((id) => db.collection("accounts").get(id)));
    t.strictSame(
      balances.map((account) => account?.balance),
      [5, 25],
    );

    // 12 errors
    try {
      await todos.create({ title: "", done: false });
    } catch (e) {
      if (ApiError.is(e, "schema_violation")) show(e.fields.title?.message);
      else throw e;
    }
    t.strictSame(shown, ["document.title: expects at least 1 character, got 0"]);
    live.close();
  });
});
