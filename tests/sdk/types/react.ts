// Judged by the compiler, as results.ts is.
import type { ApiError, Auth, Connection, Doc, LiveState, Me } from "@galley/sdk";
import {
  GalleyProvider,
  useAuth,
  type useConnection,
  useDocument,
  useLive,
  useMutation,
  usePages,
} from "@galley/sdk/react";
import { createElement } from "react";
import { db, type Same, same, type Todo, todos, type User } from "./schema.ts";

declare const id: string | undefined;

const list = useLive(todos.find({ done: false }));
same<Same<typeof list, LiveState<Doc<Todo>[]>>>();
// @ts-expect-error it may not be there yet
list.data.length;
const { data = [] } = list;
for (const { title } of data) title.toUpperCase();
const first = useLive(todos.find().first(), { keep: true, once: true });
same<Same<typeof first.data, Doc<Todo> | null | undefined>>();
const count = useLive(id && todos.find({ owner: id }).count());
same<Same<typeof count.data, { count: number; more: boolean } | undefined>>();
const picked = useLive(todos.find({}, { select: ["title"], expand: ["owner"] }));
const owner: Doc<User> | null | undefined = picked.data?.[0]?._expanded.owner;
// @ts-expect-error not selected
picked.data?.[0]?.done;
for (const none of [null, undefined, false, ""] as const) useLive(none);
// @ts-expect-error a collection is no question
useLive(todos);
// @ts-expect-error an answer is none either
useLive(await todos.find());
// @ts-expect-error no such option
useLive(todos.find(), { suspense: true });
// @ts-expect-error no such field
useLive(todos.find({ titel: "x" }));
// @ts-expect-error states are not to be changed
list.synced = true;

const one = useDocument(todos, id);
same<Same<typeof one, LiveState<Doc<Todo> | null>>>();
useDocument(todos, null);
// @ts-expect-error an id is a text
useDocument(todos, 5);

const pages = usePages(todos.find({}, { sort: "-n" }), { size: 20 });
same<Same<typeof pages.data, Doc<Todo>[] | undefined>>();
const more: boolean = pages.more;
pages.loadMore();
usePages(id ? todos.find({ owner: id }) : null);
// @ts-expect-error one document has no pages
usePages(todos.get("a"));
// @ts-expect-error nor has a count
usePages(todos.find().count());

const { run, pending, error, reset } = useMutation((title: string, n?: number) =>
  todos.create({
    title,
    n,
    size: 1n,
    status: "open",
    owner: "a",
    tags: [],
    author: { name: "" },
    items: [],
    scores: {},
  }),
);
const made: Promise<Doc<Todo>> = run("x");
run("x", 2);
// @ts-expect-error a title is a text
run(1);
// @ts-expect-error a title is needed
run();
// @ts-expect-error what runs is asynchronous
useMutation(() => 1);
same<Same<typeof error, ApiError | Error | undefined>>();

const { user, loading, auth } = useAuth();
same<Same<[typeof user, typeof loading, typeof auth], [Me | null, boolean, Auth]>>();
same<Same<ReturnType<typeof useConnection>, Connection["status"]>>();
createElement(GalleyProvider, { client: db }, "x");
// @ts-expect-error the client is needed
createElement(GalleyProvider, {}, "x");

void [owner, more, pending, reset, made];
