/** `usePages`, `useMutation`, `useAuth` and `useConnection` in a real browser, against a real Galley. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { startBrowser } from "../support/browser.ts";
import { ROOT } from "../support/own-modules.ts";
import type { Kit } from "../support/react-kit.ts";
import { startReactPages, startReactSite } from "../support/react-page.ts";

/** Of the page, where what is run there finds it. */
declare const kit: Kit;

const found = await startBrowser();

if ("missing" in found) t.test("hooks in a browser", { skip: found.missing }, async () => {});
else {
  const { browser } = found;
  t.teardown(() => browser.close());
  const OWN = { ownerId: "$auth.id" };
  const rules = {
    mine: { list: OWN, get: "list", create: OWN },
    todos: { list: OWN, get: "list", create: OWN, update: OWN },
    strict: { list: true, create: true, update: { n: { $lt: 5 } } },
  };
  const pages = await startReactPages(t, browser, ["rows", "own", "runs", "cards"], { rules });

  t.test("what was refused to nobody is shown to who signs in, with what it refers to", async (t) => {
    const schema = { properties: { card: { type: "string", ref: "cards" } } };
    await pages.app.send("PATCH", "/v1/admin/collections/mine", { body: { schema } });
    const shown = await pages.run(async () => {
      const { h, useLive, open, render, until } = kit;
      const db = open();
      const mine = db.collection("mine");
      await db.collection("cards").create({ _id: "one", n: 1 });
      const List = () => {
        const { data, error } = useLive(mine.find({}, { expand: ["card"] }));
        return error?.code ?? JSON.stringify(data?.map(({ _expanded: { card } }) => card && "n" in card && card.n));
      };
      const { text } = render(h(List), true);
      await until(() => text() === "unauthenticated", "a refusal");
      const { id } = await db.auth.signInAsGuest();
      await mine.create({ ownerId: id, card: "one" });
      await until(() => text() === "[1]", "the list of who signed in");
      return text();
    });
    t.equal(shown, "[1]");
    await pages.app.send("PATCH", "/v1/admin/collections/mine", { body: { schema: null } });
  });

  t.test("what was hidden while somebody else signed in shows nothing of who was there before", async (t) => {
    const shown = await pages.run(async () => {
      const { h, useLive, open, render, until, react } = kit;
      const db = open();
      const mine = db.collection("mine");
      const { id } = await db.auth.signInAsGuest();
      await mine.create({ ownerId: id, n: 1 });
      const drawn: string[] = [];
      const Once = () => {
        const { data } = useLive(mine.find(), { once: true });
        drawn.push(JSON.stringify(data?.map(({ n }) => n)));
        return drawn.at(-1);
      };
      const inMode = (mode: "visible" | "hidden") => h(react.Activity, { mode, children: h(Once) });
      const { text, show } = render(inMode("visible"));
      await until(() => text() === "[1]", "the first one's list");
      show(inMode("hidden"));
      await new Promise((resolve) => setTimeout(resolve, 100));
      await db.auth.signOut();
      await db.auth.signInAsGuest();
      drawn.length = 0;
      show(inMode("visible"));
      await until(() => text() === "[]", "the second one's list");
      return drawn.includes("[1]");
    });
    t.notOk(shown);
  });

  t.test("what was refused after it was left is asked anew by who comes back", async (t) => {
    const asked = await pages.run(async () => {
      const { h, useLive, open, render, until, count } = kit;
      const db = open();
      await db.auth.signInAsGuest();
      const mine = db.collection("mine");
      const List = () => {
        const { data, error } = useLive(mine.find());
        return error?.code ?? JSON.stringify(data);
      };
      const { text, unmount } = render(h(List));
      await until(() => text() === "[]", "the list");
      // What tells when the refusal has come.
      const live = mine.find().live();
      unmount();
      await db.auth.signOut();
      await until(() => live.state.error, "a refusal");
      const before = count("sub");
      const back = render(h(List));
      await until(() => count("sub") > before, "another question");
      await until(() => back.text() === "unauthenticated", "its answer");
      return count("sub") - before;
    });
    t.equal(asked, 1);
  });

  t.test("`usePages` grows over one live list, in which nothing goes missing meanwhile", async (t) => {
    const result = await pages.run(async () => {
      const { h, usePages, open, render, until, sent } = kit;
      const rows = open().collection("rows");
      const other = open();
      const others = other.collection("rows");
      await other.batch((b) => {
        for (let n = 0; n < 23; n++) b.collection("rows").create({ n: n * 10 });
      });
      const lengths: number[] = [];
      let load = (): void => {};
      const List = ({ least }: { least: number }) => {
        const { data, more, synced, loadMore } = usePages(rows.find({ n: { $gte: least } }, { sort: "n" }), {
          size: 10,
        });
        load = loadMore;
        lengths.push(data?.length ?? -1);
        return `${data?.length} ${data?.at(-1)?.n} ${more} ${synced}`;
      };
      const { text, show } = render(h(List, { least: 0 }));
      await until(() => text() === "10 90 true true", "the first page");
      const first = load;
      load();
      // As a list that is scrolled calls it: many times.
      load();
      load();
      await until(() => text() === "20 190 true true", "the second");
      first();
      await others.create({ n: 5 });
      await until(() => text() === "20 180 true true", "a row in the first page");
      load();
      await until(() => text() === "24 220 false true", "the last page");
      load();
      await others.create({ n: 1000 });
      await until(() => text() === "25 1000 false true", "a row behind all");
      const shrunk = lengths.slice(1).some((length, i) => length < (lengths[i] ?? 0));
      show(h(List, { least: 100 }));
      await until(() => text() === "10 190 true true", "the first page of another list");
      const limits = sent.flatMap(({ q }) => (q as { find?: { limit?: number } } | undefined)?.find?.limit ?? []);
      return { shrunk, limits };
    });
    t.same(result, { shrunk: false, limits: [10, 20, 30, 10] });
  });

  t.test("a list grows to a thousand, and from its own limit", async (t) => {
    const result = await pages.run(async () => {
      const { h, usePages, open, render, until, sent } = kit;
      const db = open();
      const rows = db.collection("own");
      for (let i = 0; i < 3; i++) {
        await db.batch((b) => {
          for (let n = 0; n < 400; n++) b.collection("own").create({ n: i * 400 + n });
        });
      }
      let load = (): void => {};
      const List = () => {
        const { data, more, loadMore } = usePages(rows.find({}, { sort: "-n", limit: 7 }), { size: 600 });
        load = loadMore;
        return `${data?.length} ${data?.[0]?.n} ${more}`;
      };
      const { text } = render(h(List));
      const seen: string[] = [];
      for (const wanted of ["7 1199 true", "607 1199 true", "1000 1199 false"]) {
        await until(() => text() === wanted, wanted);
        seen.push(text());
        load();
      }
      load();
      return {
        seen: seen.length,
        asked: sent.flatMap(({ q }) => (q as { find?: { limit?: number } })?.find?.limit ?? []),
      };
    });
    t.same(result, { seen: 3, asked: [7, 607, 1000] });
  });

  t.test("a refused write is shown at once, vanishes and is told; runs that overlap are counted", async (t) => {
    const result = await pages.run(async () => {
      const { h, useLive, useMutation, open, render, until } = kit;
      const strict = open().collection("strict");
      const { _id } = await strict.create({ n: 1 });
      const drawn: string[] = [];
      const runs = new Set<unknown>();
      type Run = ReturnType<typeof useMutation<[number], unknown>>;
      let mutation: Run | undefined;
      const One = () => {
        const { data } = useLive(strict.find());
        mutation = useMutation((n: number) => strict.update(_id, { n }));
        runs.add(mutation.run);
        const { pending, error } = mutation;
        const text = `${data?.[0]?.n} ${pending} ${error && ("code" in error ? error.code : error.message)}`;
        if (text !== drawn.at(-1)) drawn.push(text);
        return text;
      };
      const { text } = render(h(One), true);
      await until(() => text() === "1 false undefined", "the document");
      const refused = await mutation?.run(9).catch((error) => error.code);
      await until(() => text() === "1 false permission_denied", "the refusal");
      // Nobody waits for it: it is in `error`, and no fault of the page.
      const from = drawn.length;
      void mutation?.run(8);
      await until(() => drawn.length > from && text() === "1 false permission_denied", "another refusal");
      mutation?.reset();
      await until(() => text() === "1 false undefined", "no error");
      await mutation?.run(2);
      await until(() => text() === "2 false undefined", "what was allowed");
      return { refused, runs: runs.size, shown: drawn.includes("9 true undefined") };
    });
    t.same(result, { refused: "permission_denied", runs: 1, shown: true });
  });

  t.test("runs that overlap are all counted, and tell nobody who has gone", async (t) => {
    const result = await pages.run(async () => {
      const { h, useMutation, render, until } = kit;
      const ends: ((error?: Error) => void)[] = [];
      let run: (() => Promise<unknown>) | undefined;
      let renders = 0;
      const One = () => {
        const mutation = useMutation(
          () => new Promise<void>((resolve, reject) => ends.push((error) => (error ? reject(error) : resolve()))),
        );
        run = mutation.run;
        renders++;
        return `${mutation.pending} ${mutation.error?.message}`;
      };
      const { text, unmount } = render(h(One));
      await until(() => text() === "false undefined", "nothing");
      void run?.();
      void run?.();
      await until(() => text() === "true undefined", "two runs");
      ends[0]?.(new Error("mine"));
      await until(() => text() === "true mine", "the error of one");
      ends[1]?.();
      await until(() => text() === "false mine", "the end of the other");
      const last = run?.().catch((error) => error.message);
      await until(() => text() === "true undefined", "a third");
      const before = renders;
      unmount();
      ends[2]?.(new Error("late"));
      return { last: await last, more: renders - before };
    });
    t.same(result, { last: "late", more: 0 });
  });

  t.test("`useAuth` tells who is there, and lists become theirs; nobody sees what was another's", async (t) => {
    const result = await pages.run(async () => {
      const { h, useAuth, useLive, useConnection, GalleyProvider, open, render, until } = kit;
      const db = open();
      const mine = db.collection("mine");
      const drawn: string[] = [];
      const App = () => {
        const { user, loading, auth } = useAuth();
        const everybody = useLive(mine.find());
        const own = useLive(user && mine.find({ ownerId: user.id }));
        const titles = own.data?.map(({ title }) => title);
        const text = `${loading} ${user?.email ?? null} ${titles} ${everybody.data?.map(({ title }) => title) ?? everybody.error?.code}`;
        if (auth !== db.auth) return "another auth";
        if (text !== drawn.at(-1)) drawn.push(text);
        return `${text} ${useConnection()}`;
      };
      const { text } = render(h(GalleyProvider, { client: db }, h(App)), true);
      await until(() => text() === "false null undefined unauthenticated open", "nobody");
      const password = "plum-orbit-lantern-42";
      for (const name of ["ada", "bob"]) {
        const { user } = await db.auth.signUp({ email: `${name}@example.org`, password });
        await mine.create({ ownerId: user?.id, title: name });
        await until(() => text() === `false ${name}@example.org ${name} ${name} open`, name);
        if (name === "ada") await db.auth.signOut();
        if (name === "ada") await until(() => text() === "false null undefined unauthenticated open", "nobody again");
      }
      // Straight from one to the other.
      const from = drawn.length;
      await db.auth.signIn({ email: "ada@example.org", password });
      await until(() => text() === "false ada@example.org ada ada open", "the first again");
      return {
        first: drawn[0],
        mixed: drawn.slice(from).filter((text) => text.includes("bob") && text.includes("ada")),
      };
    });
    t.same(result, { first: "true null undefined undefined", mixed: [] });
  });

  t.test("a hook that needs the provider says so", async (t) => {
    const messages = await pages.run(async () => {
      const { h, useAuth, useConnection, renderToString } = kit;
      const message = (use: () => unknown): string => {
        const One = () => `${use()}`;
        try {
          return renderToString(h(One));
        } catch (error) {
          return (error as Error).message;
        }
      };
      return [message(useAuth), message(useConnection)];
    });
    const does = "put <GalleyProvider client={db}> around the components that use it";
    t.same(messages, [`useAuth: ${does}`, `useConnection: ${does}`]);
  });

  t.test("docs/react.md is an app that runs as it is written", async (t) => {
    const text = readFileSync(join(ROOT, "docs/react.md"), "utf8");
    const blocks = [...text.matchAll(/^```tsx run\n([\s\S]*?)^```/gm)].map(([, block]) => block);
    const program = blocks.join("\n").replace("http://127.0.0.1:4600", pages.app.url);
    const site = await startReactSite(browser, { program });
    t.teardown(() => site.close());
    const shown = await site.on(pages.app, async (page) => {
      await page.click("text=Try it");
      for (const title of ["Buy milk", "Call Ann"]) {
        await page.fill("[placeholder^=What]", title);
        await page.click(".new button");
        await page.waitForSelector(`.open >> text=${title}`);
      }
      await page.waitForSelector("text=2 to do");
      await page.waitForSelector(".detail >> text=Buy milk, since");
      await page.fill("[placeholder=Search]", "Call Ann");
      await page.waitForSelector("text=1 found");
      await page.click(".open li:has-text('Buy milk') button");
      await page.waitForSelector("text=1 to do");
      const { ownerId } = (await pages.app.send("GET", "/v1/documents/todos")).json.documents[0];
      for (let n = 10; n < 32; n++) {
        await pages.app.send("POST", "/v1/documents/todos", { body: { ownerId, title: `Do ${n}`, done: false } });
      }
      await page.click("text=More");
      await page.waitForSelector(".all >> text=Do 31");
      const rows = await page.locator(".all p").count();
      await page.click("text=Leave");
      await page.waitForSelector("text=Try it");
      return { rows, blocks: blocks.length };
    });
    t.same(shown, { rows: 24, blocks: 8 });
  });
}
