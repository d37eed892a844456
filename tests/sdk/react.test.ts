/** The hooks in a real browser, against a real Galley: what docs/react.md promises of them. */
import { join } from "node:path";
import type { Question } from "@galley/sdk";
import type { Page } from "playwright-core";
import t from "tap";
import { startBrowser } from "../support/browser.ts";
import { ROOT } from "../support/own-modules.ts";
import type { Kit } from "../support/react-kit.ts";
import { startReactPages } from "../support/react-page.ts";

/** Of the page, where what is run there finds it. */
declare const kit: Kit;

const found = await startBrowser();

if ("missing" in found) t.test("hooks in a browser", { skip: found.missing }, async () => {});
else {
  const { browser } = found;
  t.teardown(() => browser.close());
  const pages = await startReactPages(t, browser, ["strict", "inline", "back", "kept", "once", "gone", "server"]);

  /** Two components of one question, in StrictMode. */
  const showTwice = async () => {
    const { h, react, useLive, open, render, until, count } = kit;
    const todos = open().collection("strict");
    await todos.create({ title: "a" });
    const List = () => {
      const { data, synced } = useLive(todos.find({}, { sort: "title" }));
      return `${data?.map(({ title }) => title)} ${synced}`;
    };
    const { text } = render(h("p", {}, h(List), " ", h(List)), true);
    await until(() => text() === "a true a true", "the list");
    await todos.create({ title: "b" });
    await until(() => text() === "a,b true a,b true", "the second");
    return { version: react.version.slice(0, 3), subs: count("sub"), unsubs: count("unsub") };
  };

  t.test("StrictMode mounts twice and subscribes once", async (t) => {
    t.same(await pages.run(showTwice), { version: "19.", subs: 1, unsubs: 0 });
  });

  t.test("React 18 shows the same", async (t) => {
    const older = await startReactPages(t, browser, ["strict"], { folder: join(ROOT, "node_modules/tcompare") });
    const shown = await older.run(showTwice);
    t.same(shown, { version: "18.", subs: 1, unsubs: 0 });
  });

  t.test("a question written inline is asked once, and its state is one object until something changes", async (t) => {
    const result = await pages.run(async () => {
      const { h, react, useLive, useDocument, open, render, until, count } = kit;
      const todos = open().collection("inline");
      const { _id } = await todos.create({ title: "a", n: 1 });
      const seen = new Set<unknown>();
      let again = (): void => {};
      const List = () => {
        const [n, setN] = react.useState(0);
        again = () => setN(n + 1);
        const list = useLive(todos.find({ n: { $gt: 0 } }, { sort: "title", limit: 10 }));
        seen.add(list);
        return `${n} ${list.synced} ${useDocument(todos, _id).data?.title}`;
      };
      const { text } = render(h(List));
      await until(() => text() === "0 true a", "the list");
      for (let n = 1; n <= 100; n++) {
        again();
        await until(() => text() === `${n} true a`, "another render");
      }
      return { subs: count("sub"), states: seen.size };
    });
    t.equal(result.subs, 2, "one each of the list and the document");
    t.ok(result.states <= 3, `${result.states} states: nothing known, and what was told`);
  });

  t.test("who comes back within five seconds finds it as it is by then, at once", async (t) => {
    const result = await pages.run(async () => {
      const { h, useLive, open, render, until, count } = kit;
      const todos = open().collection("back");
      await todos.create({ title: "a" });
      kit.linger.factor = 20;
      const drawn: string[] = [];
      const List = () => {
        const { data, synced } = useLive(todos.find({}, { sort: "title" }));
        drawn.push(`${data?.map(({ title }) => title)} ${synced}`);
        return drawn.at(-1);
      };
      const { text, show } = render(h(List));
      await until(() => text() === "a true", "the list");
      show(null);
      await until(() => text() === "", "nothing");
      await todos.create({ title: "b" });
      const { position } = await todos.find().page();
      await until(() => kit.sent.length > 0 && position, "the position");
      const live = todos.find({}, { sort: "title" }).live();
      await until(() => live.state.data?.length === 2 && live.state.synced, "the second");
      drawn.length = 0;
      show(h(List));
      await until(() => text() !== "", "the list again");
      return { drawn, subs: count("sub"), unsubs: count("unsub") };
    });
    t.same(result, { drawn: ["a,b true"], subs: 1, unsubs: 0 });
  });

  t.test(
    "`keep` shows the old data, live, until those of a new question are there; none is asked for none",
    async (t) => {
      const result = await pages.run(async () => {
        const { h, useLive, open, render, until, count } = kit;
        const todos = open().collection("kept");
        await Promise.all(["a", "b", "c"].map((title) => todos.create({ title, n: 1 })));
        const drawn: string[] = [];
        const One = ({ title, keep }: { title: string; keep: boolean }) => {
          const { data, synced } = useLive(title && todos.find({ title }), { keep });
          const text = `${data?.map(({ title, n }) => `${title}${n}`)} ${synced}`;
          if (text !== drawn.at(-1)) drawn.push(text);
          return text;
        };
        const { text, show } = render(h(One, { title: "", keep: true }));
        await until(() => text() === "undefined false", "nothing");
        const asked = count("sub");
        show(h(One, { title: "a", keep: true }));
        await until(() => text() === "a1 true", "the first");
        show(h(One, { title: "b", keep: true }));
        await until(() => text() === "b1 true", "the second");
        show(h(One, { title: "c", keep: false }));
        await until(() => text() === "c1 true", "the third");
        show(h(One, { title: "", keep: true }));
        await until(() => text() === "undefined false", "nothing again");
        return { drawn, asked };
      });
      const nothing = "undefined false";
      t.same(result, {
        drawn: [nothing, "a1 true", "a1 false", "b1 true", nothing, "c1 true", nothing],
        asked: 0,
      });
    },
  );

  t.test("`once` asks without a subscription, and anew for another question", async (t) => {
    const result = await pages.run(async () => {
      const { h, useLive, open, render, until, sent } = kit;
      let asked = 0;
      const counting: typeof fetch = (...request) => {
        asked++;
        return fetch(...request);
      };
      const todos = open({ fetch: counting }).collection("once");
      await Promise.all([1, 2].map((n) => todos.create({ n })));
      asked = 0;
      const One = ({ filter }: { filter: Record<string, unknown> }) => {
        const { data, synced, error } = useLive(todos.find(filter), { once: true });
        return `${data?.map(({ n }) => n)} ${synced} ${error?.code}`;
      };
      const { text, show } = render(h(One, { filter: { n: 1 } }), true);
      await until(() => text() === "1 true undefined", "the first");
      show(h(One, { filter: { n: 2 } }));
      await until(() => text() === "2 true undefined", "the second");
      show(h(One, { filter: { n: { $foo: 2 } } }));
      await until(() => text() === "undefined false invalid_argument", "the refusal");
      return { asked, sent: sent.length };
    });
    t.same(result, { asked: 3, sent: 0 });
  });

  t.test("what goes wrong is in `error`, and whoever comes back asks anew", async (t) => {
    const chunks = /\/(?!program)[\w-]+\.js$/;
    const prepare = async (page: Page) => {
      await page.route(chunks, (route) => route.abort());
      await page.exposeFunction("letThrough", () => page.unroute(chunks));
    };
    const shown = await pages.run(
      async () => {
        const { h, useLive, open, render, until, count } = kit;
        const db = open();
        const One = ({ question }: { question: Question<readonly unknown[]> }) => {
          const { data, error } = useLive(question);
          return error?.code ?? (data ? `${data.length} documents` : "loading");
        };
        const seen: string[] = [];
        const see = async (question: Question<readonly unknown[]>, wanted: string) => {
          const { text, unmount } = render(h(One, { question }));
          await until(() => text() === wanted, wanted);
          seen.push(text());
          unmount();
        };
        const list = db.collection("gone").find();
        await see(list, "network");
        await (globalThis as unknown as { letThrough(): Promise<void> }).letThrough();
        await see(list, "0 documents");
        const hidden = db.collection("hidden").find();
        await see(hidden, "permission_denied");
        await see(hidden, "permission_denied");
        await see(
          open({ WebSocket: null as never })
            .collection("gone")
            .find(),
          "invalid_argument",
        );
        return { seen: seen.length, subs: count("sub") };
      },
      { prepare },
    );
    t.same(shown, { seen: 5, subs: 3 });
  });

  t.test("a server draws that nothing is known yet, and the page goes on from there", async (t) => {
    const drawn = await pages.run(async () => {
      const { h, useLive, useAuth, useConnection, useMutation, usePages, GalleyProvider, open, until } = kit;
      const db = open();
      const todos = db.collection("server");
      await todos.create({ title: "a" });
      const One = () => {
        const { data, synced, error } = useLive(todos.find(), { keep: true });
        const { more } = usePages(todos.find());
        const { pending } = useMutation(async () => {});
        return [data?.length, synced, error, more, pending, useAuth().loading, useConnection()].join();
      };
      const app = h(GalleyProvider, { client: db }, h(One));
      const html = kit.renderToString(app);
      const element = document.body.appendChild(document.createElement("div"));
      element.innerHTML = html;
      kit.hydrateRoot(element, app);
      await until(() => element.textContent === "1,true,,false,false,false,open", "the list");
      return html;
    });
    t.equal(drawn, ",false,,false,false,true,off");
  });
}
