/** The one-file todo app in a real browser: what a stranger gets who copies it. */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Page } from "playwright-core";
import t, { type Test } from "tap";
import { startApp } from "../support/app.ts";
import { startBrowser } from "../support/browser.ts";
import { galley } from "../support/command-line.ts";
import { onEachEngine } from "../support/engines.ts";
import { ROOT } from "../support/own-modules.ts";
import { PASSWORD } from "../support/people.ts";
import { build } from "../support/programs.ts";
import { publishRules } from "../support/publish-rules.ts";
import { until } from "../support/until.ts";

const FOLDER = join(ROOT, "docs/examples/todo");
const found = await startBrowser();

if ("missing" in found) t.test("the todo example in a browser", { skip: found.missing }, async () => {});
else {
  const { browser } = found;
  t.teardown(() => browser.close());
  await build("--if-older");

  onEachEngine(t, async (t, engine) => {
    let app = await startApp({ engine, folder: t.testdir() });
    const { url, folder, key } = app;
    t.teardown(() => app.close());
    const restart = async () => {
      await app.close();
      app = await startApp({ engine, folder, env: { GALLEY_PORT: new URL(url).port } });
    };
    const html = readFileSync(join(FOLDER, "index.html"), "utf8").replace("http://127.0.0.1:4600", url);
    const site = createServer((_, response) => response.setHeader("content-type", "text/html").end(html));
    await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
    t.teardown(() => {
      site.closeAllConnections();
      site.close();
    });
    const command = /npm run galley -- (collections .*?) +#/.exec(readFileSync(join(FOLDER, "README.md"), "utf8"))?.[1];
    const made = await galley(folder, command?.split(" ") ?? [], { GALLEY_URL: url, GALLEY_SERVICE_KEY: key });
    t.equal(made.code, 0, made.err);

    /** The page on a device of somebody's. */
    async function open(t: Test): Promise<Page> {
      const context = await browser.newContext();
      t.teardown(() => context.close());
      // Full jitter may also be none: the waits between tries are not what is tested here.
      await context.addInitScript("Math.random = () => 0");
      const page = await context.newPage();
      await page.goto(`http://localhost:${(site.address() as AddressInfo).port}/`);
      return page;
    }

    async function enter(page: Page, email: string, button: "Sign in" | "Make an account", password = PASSWORD) {
      await page.getByLabel("Email").fill(email);
      await page.getByLabel("Password").fill(password);
      await page.getByRole("button", { name: button }).click();
    }

    async function add(page: Page, title: string) {
      await page.getByLabel("What is there to do?").fill(title);
      await page.keyboard.press("Enter");
    }

    /** What a page shows: titles, and a tick behind those that are done. */
    const shown = (page: Page) =>
      page.$$eval("li", (items) =>
        items.map(
          (item) => item.querySelector("span")?.textContent + (item.querySelector("input")?.checked ? " ✓" : ""),
        ),
      );
    async function shows(t: Test, page: Page, expected: readonly string[], when: string) {
      let last: readonly string[] = [];
      const same = async () => {
        last = await shown(page);
        return JSON.stringify(last) === JSON.stringify(expected);
      };
      await until(same, 15, () => `${expected} ${when}, in place of ${last},`);
      t.pass(when);
    }
    const problem = (page: Page) => page.locator("#problem").textContent();
    const problemIs = (page: Page, text: RegExp) =>
      until(async () => text.test((await problem(page)) ?? ""), 15, `${text}`);

    t.test("two people see their own, each on all of their devices at once", async (t) => {
      const [ann, bob, phone] = [await open(t), await open(t), await open(t)];
      await enter(ann, "ann@example.org", "Make an account");
      await enter(bob, "bob@example.org", "Make an account");
      await add(ann, "Buy <b>milk</b>");
      await shows(t, ann, ["Buy <b>milk</b>"], "a text is a text");
      await add(bob, "Call Ann");
      await shows(t, bob, ["Call Ann"], "Bob sees his own only");

      await enter(phone, "ann@example.org", "Sign in", "quite another password");
      await problemIs(phone, /password/);
      await enter(phone, "ann@example.org", "Sign in");
      await shows(t, phone, ["Buy <b>milk</b>"], "Ann's phone shows what is there");
      await add(phone, "Bake bread");
      await shows(t, ann, ["Bake bread", "Buy <b>milk</b>"], "what the phone adds comes");
      t.equal(await problem(phone), "");

      // By the keyboard alone: from the field over the button to the first row's box, and on.
      await ann.getByLabel("What is there to do?").focus();
      for (const key of ["Tab", "Tab", "Space"]) await ann.keyboard.press(key);
      await shows(t, ann, ["Bake bread ✓", "Buy <b>milk</b>"], "ticked");
      await shows(t, phone, ["Bake bread ✓", "Buy <b>milk</b>"], "and on the phone");
      t.equal(await ann.evaluate("document.activeElement.type"), "checkbox", "which still has the focus");
      await phone.getByRole("button", { name: "Delete Bake bread" }).click();
      await shows(t, ann, ["Buy <b>milk</b>"], "deleted on the phone");
      await shows(t, bob, ["Call Ann"], "and nothing of it was Bob's");

      await phone.getByRole("button", { name: "Sign out" }).click();
      await phone.getByLabel("Email").waitFor();
      await shows(t, phone, [], "nothing is left after signing out");
      await enter(phone, "bob@example.org", "Sign in");
      await shows(t, phone, ["Call Ann"], "Bob on the phone sees his own");
    });

    t.test("a write that is refused is taken back, and the page says why", async (t) => {
      const page = await open(t);
      await enter(page, "cy@example.org", "Make an account");
      await add(page, "Read only");
      await shows(t, page, ["Read only"], "added");
      const { rules } = (await app.send("GET", "/v1/admin/rules")).json;
      await publishRules(app, { ...rules, collections: { todos: { ...rules.collections.todos, update: false } } });
      t.teardown(() => publishRules(app, rules));
      await page.getByRole("checkbox", { name: "Read only" }).click();
      await problemIs(page, /./);
      await shows(t, page, ["Read only"], "not ticked");
      t.comment(await problem(page));
    });

    t.test("a reload keeps the session, and a restart loses and repeats nothing", async (t) => {
      const [page, other] = [await open(t), await open(t)];
      await enter(page, "dee@example.org", "Make an account");
      await add(page, "Before");
      await shows(t, page, ["Before"], "added");
      await page.reload();
      await shows(t, page, ["Before"], "still signed in after a reload");
      await enter(other, "dee@example.org", "Sign in");
      await shows(t, other, ["Before"], "on both");

      // The server stores it, and ends before it has said so.
      let isBack = false;
      await page.route(
        "**/v1/documents/todos",
        async (route) => {
          await route.fetch();
          await restart();
          await route.abort("connectionreset");
          isBack = true;
        },
        { times: 1 },
      );
      await add(page, "While it restarts");
      await until(() => isBack);
      // They come back by themselves in some seconds; at once, when the network does.
      for (const each of [page, other]) await each.evaluate("dispatchEvent(new Event('online'))");
      await shows(t, other, ["While it restarts", "Before"], "stored once");
      await add(other, "After");
      for (const each of [page, other]) await shows(t, each, ["After", "While it restarts", "Before"], "one of each");
      t.equal(await problem(page), "");
      const body = { filter: { title: "While it restarts" } };
      t.equal((await app.send("POST", "/v1/documents/todos/count", { body })).json.count, 1);
    });

    t.test("a narrow screen holds it, and a page without a server says so", async (t) => {
      const page = await open(t);
      await page.setViewportSize({ width: 320, height: 640 });
      await enter(page, "eve@example.org", "Make an account");
      await add(page, "Averyveryverylongwordthathasnoplacetobreakatallbutmustnotmakethepagewider".repeat(2));
      await page.getByRole("checkbox").waitFor();
      t.equal(await page.evaluate("document.documentElement.scrollWidth"), 320);
      await page.route("**/sdk/galley.js", (route) => route.abort());
      await page.reload();
      await problemIs(page, /No Galley answers/);
    });
  });
}
