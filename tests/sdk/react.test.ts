import t from "tap";
import { startApp } from "../support/app.ts";
import { startBrowser } from "../support/browser.ts";
import { NO_LIMITS } from "../support/no-limits.ts";
import { publishRules } from "../support/publish-rules.ts";
import type { Kit } from "../support/react-kit.ts";
import { startReactSite } from "../support/react-page.ts";

/** Of the page, where what `evaluate` is given runs. */
declare const kit: Kit;

const found = await startBrowser();

if ("missing" in found) t.test("hooks in a browser", { skip: found.missing }, async () => {});
else {
  const { browser } = found;
  const app = await startApp();
  const site = await startReactSite(browser);
  t.teardown(async () => {
    site.close();
    await browser.close();
    await app.close();
  });
  await app.send("PATCH", "/v1/admin/settings", { body: NO_LIMITS });
  const all = { list: true, get: "list", create: true, update: true, delete: true };
  await publishRules(app, { format: 1, collections: { todos: all } });

  /** Runs in a page of its own. */
  const onPage = <R>(work: () => Promise<R>): Promise<R> => site.on(app, (page) => page.evaluate(work));

  t.test("a component shows a live list, in StrictMode by one subscription", async (t) => {
    const shown = await onPage(async () => {
      const { h, useLive, open, render, until, count } = kit;
      const todos = open().collection("todos");
      await todos.create({ title: "a" });
      const List = () => {
        const { data, synced } = useLive(todos.find({}, { sort: "title" }));
        return `${data?.map(({ title }) => title)} ${synced}`;
      };
      const { text } = render(h("p", {}, h(List), " ", h(List)), true);
      const first = text();
      await until(() => text() === "a true a true", "the list");
      await todos.create({ title: "b" });
      await until(() => text() === "a,b true a,b true", "the second");
      return { first, subs: count("sub") };
    });
    t.same(shown, { first: "", subs: 1 });
  });
}
