import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import t from "tap";
import { startApp } from "../support/app.ts";
import { startBrowser } from "../support/browser.ts";
import { build } from "../support/programs.ts";
import { publishRules } from "../support/publish-rules.ts";

const found = await startBrowser();

if ("missing" in found) t.test("the SDK in a browser", { skip: found.missing }, async () => {});
else {
  const { browser } = found;
  await build("--if-older");
  const app = await startApp();
  t.teardown(async () => {
    await browser.close();
    await app.close();
  });

  t.test("a plain page imports the SDK from the server, from another origin too", async (t) => {
    const html = `<!doctype html><meta charset="utf-8"><title>App</title><script type="module">
      import { ApiError, createClient } from "${app.url}/sdk/galley.js";
      const db = createClient({ url: "${app.url}" });
      const query = db.collection("todos").find({ done: false }, { limit: 3 });
      const code = (run) => Promise.resolve().then(run).then(() => "none", (error) => [error instanceof ApiError, error.code, error.status]);
      const key = () => createClient({ url: "${app.url}", serviceKey: "gsk_x" });
      window.result = {
        key: query.key,
        asked: await code(() => query),
        written: await code(() => db.collection("todos").create({ title: "x" })),
        serviceKey: await code(key),
        health: (await fetch("${app.url}/v1/health")).status,
      };
    </script>`;
    const site = createServer((_, response) => response.setHeader("content-type", "text/html").end(html));
    await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
    const page = await browser.newPage();
    t.teardown(() => {
      site.closeAllConnections();
      site.close();
      return page.close();
    });
    const troubles: string[] = [];
    page.on("pageerror", (error) => troubles.push(String(error)));
    await page.goto(`http://localhost:${(site.address() as AddressInfo).port}/`);
    const result = await page.waitForFunction("window.result").then((handle) => handle.jsonValue());
    t.strictSame(troubles, []);
    t.strictSame(result, {
      key: '["find","todos",{"done":false},{"limit":3}]',
      asked: [true, "permission_denied", 403],
      written: [true, "permission_denied", 403],
      serviceKey: [true, "invalid_argument", 400],
      health: 200,
    });
  });

  t.test(
    "one file does it all from another origin: sign up, write, and a live list that shows it at once",
    async (t) => {
      const own = { create: true, list: true, get: true };
      await publishRules(app, { format: 1, collections: { shopping: own } });
      const html = `<!doctype html><meta charset="utf-8"><title>App</title><ul></ul><script type="module">
      import { createClient } from "${app.url}/sdk/galley.js";
      const db = createClient({ url: "${app.url}" });
      const { user } = await db.auth.signUp({ email: "ada@example.org", password: "plum-orbit-lantern-42", name: "Ada" });
      const shopping = db.collection("shopping");
      const told = [];
      const live = shopping.find({ done: false }, { sort: "title" }).live(({ data = [], pending, synced }) => {
        told.push({ titles: data.map(({ title }) => title).join(), pending, synced });
        document.querySelector("ul").replaceChildren(...data.map(({ title }) => {
          const item = document.createElement("li");
          item.textContent = title;
          return item;
        }));
      });
      await live.ready;
      let isAnswered = false;
      const shown = [];
      const written = shopping.create({ title: "milk", done: false }).then(() => { isAnswered = true; });
      while (!told.some(({ titles }) => titles === "milk")) await new Promise((resolve) => setTimeout(resolve));
      shown.push(document.querySelector("ul").textContent, isAnswered);
      await written;
      while (!live.state.synced) await new Promise((resolve) => setTimeout(resolve));
      window.result = { name: user.name, shown, told, asked: (await shopping.find()).map(({ title }) => title) };
    </script>`;
      const site = createServer((_, response) => response.setHeader("content-type", "text/html").end(html));
      await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
      const context = await browser.newContext();
      const page = await context.newPage();
      t.teardown(() => {
        site.closeAllConnections();
        site.close();
        return context.close();
      });
      const troubles: string[] = [];
      page.on("pageerror", (error) => troubles.push(String(error)));
      page.on("console", (message) => troubles.push(message.text()));
      const scripts: string[] = [];
      page.on("request", (request) => request.resourceType() === "script" && scripts.push(request.url()));
      await page.goto(`http://localhost:${(site.address() as AddressInfo).port}/`);
      const result = await page.waitForFunction("window.result").then((handle) => handle.jsonValue());
      t.match(result, { name: "Ada", shown: ["milk", false], asked: ["milk"] });
      t.match((result as { told: object[] }).told, [
        { titles: "", pending: false, synced: true },
        { titles: "milk", pending: true, synced: false },
      ]);
      await app.send("POST", "/v1/documents/shopping", { body: { title: "bread", done: false } });
      await page.waitForFunction("document.querySelector('ul').textContent === 'breadmilk'");
      t.strictSame(scripts, [`${app.url}/sdk/galley.js`], "and no other file is loaded");
      t.strictSame(troubles, []);
    },
  );

  t.test("the console's page shows the server's health, within its own content security policy", async (t) => {
    const page = await browser.newPage();
    t.teardown(() => page.close());
    const troubles: string[] = [];
    page.on("pageerror", (error) => troubles.push(String(error)));
    page.on("console", (message) => troubles.push(message.text()));
    page.on("requestfailed", (request) => troubles.push(request.url()));
    const requests: string[] = [];
    page.on("request", (request) => requests.push(request.url()));
    await page.goto(`${app.url}/`);
    await page.waitForSelector("#data[data-state=well]");
    t.equal(await page.textContent("#process"), "running");
    t.equal(await page.title(), "Galley");
    t.equal(page.url(), `${app.url}/console/`);
    t.match(await page.textContent("pre"), new RegExp(app.url.replaceAll(".", "\\.")));
    t.ok(
      requests.every((url) => url.startsWith(app.url)),
      requests.join(),
    );
    t.strictSame(troubles, []);
    await app.app.close();
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))");
    await page.waitForSelector("#process[data-state=ill]");
    t.equal(await page.textContent("#process"), "not reachable");
  });
}
