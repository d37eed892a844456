import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { BrowserContext, Page, Request } from "playwright-core";
import t, { type Test } from "tap";
import { startApp } from "../support/app.ts";
import { startBrowser } from "../support/browser.ts";
import { build } from "../support/programs.ts";
import { until } from "../support/until.ts";

const PASSWORD = "plum-orbit-lantern-42";
const ADMIN = { email: "owner@example.org", password: "quartz-meadow-harbour-7" };
const LIFE = 15 * 60_000;

const found = await startBrowser();

if ("missing" in found) t.test("the session over several tabs", { skip: found.missing }, async () => {});
else {
  const { browser } = found;
  await build("--if-older");
  let ahead = 0;
  const app = await startApp({
    clock: () => Date.now() + ahead,
    env: { GALLEY_ADMIN_EMAIL: ADMIN.email, GALLEY_ADMIN_PASSWORD: ADMIN.password },
  });
  const html = `<!doctype html><meta charset="utf-8"><title>App</title><script type="module">
    import { createClient } from "${app.url}/sdk/galley.js";
    window.told = [];
    const db = window.db = createClient({ url: "${app.url}" });
    db.auth.onChange(() => { throw new Error("a listener's own"); });
    db.auth.onChange((user, why) => window.told.push((user ? user.name : "nobody") + " " + why));
    window.fifty = () => Promise.all(Array.from({ length: 50 }, () => db.auth.sessions.list())).then((all) => all.length);
  </script>`;
  const site = createServer((_, response) => response.setHeader("content-type", "text/html").end(html));
  await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
  const origin = `http://localhost:${(site.address() as AddressInfo).port}`;
  t.teardown(async () => {
    await browser.close();
    site.closeAllConnections();
    site.close();
    await app.close();
  });

  /** Three tabs of one browser, and how often they asked for new tokens. */
  async function threeTabs(t: Test, address: string, prepare?: (context: BrowserContext) => Promise<unknown>) {
    const context = await browser.newContext();
    t.teardown(() => context.close());
    await prepare?.(context);
    let refreshes = 0;
    let running = 0;
    let mostAtOnce = 0;
    const isRefresh = (request: Request) => request.url().endsWith("/v1/auth/refresh") && request.method() === "POST";
    context.on("request", (request) => {
      if (!isRefresh(request)) return;
      refreshes++;
      mostAtOnce = Math.max(mostAtOnce, ++running);
    });
    const ended = (request: Request) => {
      if (isRefresh(request)) running--;
    };
    context.on("requestfinished", ended).on("requestfailed", ended);
    const tabs = await Promise.all([0, 1, 2].map(() => openTab(context, address)));
    return { context, tabs: tabs as [Page, Page, Page], refreshes: () => refreshes, mostAtOnce: () => mostAtOnce };
  }

  async function openTab(context: BrowserContext, address: string): Promise<Page> {
    const page = await context.newPage();
    await page.goto(address);
    return page;
  }

  const told = (page: Page) => page.evaluate<string[]>("window.told");
  const user = (page: Page) => page.evaluate<string | undefined>("db.auth.user?.name");

  t.test("three tabs share one session, and renew it once in each life of a token", { timeout: 120_000 }, async (t) => {
    const { tabs, refreshes, mostAtOnce } = await threeTabs(t, origin);
    const [first, ...others] = tabs;
    for (const tab of tabs) await tab.waitForFunction("window.fifty");
    const troubles: string[] = [];
    first.on("pageerror", (error) => troubles.push(error.message));
    await first.evaluate(`db.auth.signUp({ email: "ada@example.org", password: "${PASSWORD}", name: "Ada" })`);
    for (const tab of tabs) await tab.waitForFunction("db.auth.user?.name === 'Ada'");
    for (const tab of tabs) t.strictSame(await told(tab), ["Ada in"]);
    t.strictSame(troubles, ["a listener's own"], "what a listener throws is reported, and keeps nobody from hearing");
    let lives = 0;
    // Everybody knows that the token is over; then the server alone: its clock is ahead of theirs.
    for (const known of [true, true, false, false]) {
      ahead += LIFE + 60_000;
      lives++;
      if (known) await Promise.all(tabs.map((tab) => tab.clock.setSystemTime(Date.now() + ahead)));
      const answers = await Promise.all(tabs.map((tab) => tab.evaluate<number>("fifty()")));
      t.strictSame(answers, [50, 50, 50]);
      t.ok(refreshes() >= lives, `${refreshes()} refreshes in ${lives} lives`);
    }
    t.equal(mostAtOnce(), 1, "never two at once");
    // A browser that has no time may show a tab late what another has written; then the server gives the same tokens again.
    t.ok(refreshes() <= lives + 2, `${refreshes()} refreshes in ${lives} lives`);
    for (const tab of tabs) t.strictSame(await told(tab), ["Ada in"]);

    await others[0]?.evaluate("db.auth.update({ name: 'Countess' })");
    for (const tab of tabs) await tab.waitForFunction("db.auth.user?.name === 'Countess'");
    await first.evaluate("db.auth.signOut()");
    for (const tab of tabs) await tab.waitForFunction("db.auth.user === null");
    for (const tab of tabs) t.strictSame(await told(tab), ["Ada in", "Countess changed", "nobody out"]);
    const codes = await Promise.all(others.map((tab) => tab.evaluate("fifty().catch((error) => error.code)")));
    t.strictSame(codes, ["unauthenticated", "unauthenticated"]);
  });

  t.test("a tab that is opened later knows who is signed in, and a new one signs all in anew", async (t) => {
    const { context, tabs } = await threeTabs(t, origin);
    for (const tab of tabs) await tab.waitForFunction("window.fifty");
    await tabs[0].evaluate(`db.auth.signUp({ email: "bob@example.org", password: "${PASSWORD}", name: "Bob" })`);
    // A page that was put aside hears of nothing until it is shown again.
    await tabs[2].evaluate(`window.kept = Object.entries(localStorage); localStorage.clear()`);
    await tabs[0].waitForFunction("db.auth.user === null");
    t.equal(await user(tabs[2]), "Bob");
    await tabs[2].evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))");
    t.strictSame([await user(tabs[2]), (await told(tabs[2])).at(-1)], [undefined, "nobody out"]);
    await tabs[2].evaluate("for (const [key, text] of kept) localStorage.setItem(key, text)");
    await tabs[2].evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))");
    for (const tab of tabs) await tab.waitForFunction("db.auth.user?.name === 'Bob'");
    const later = await openTab(context, origin);
    await later.waitForFunction("window.fifty");
    t.strictSame([await user(later), await told(later)], ["Bob", []]);
    // Parallel requests meet the old session while the new one is made: none of them ends it.
    const signIn = `db.auth.signIn({ email: "bob@example.org", password: "${PASSWORD}" }).then(() => 50)`;
    const answers = await Promise.all([
      tabs[0].evaluate(signIn),
      ...[tabs[1], tabs[2], later].map((tab) => tab.evaluate("fifty()")),
    ]);
    t.strictSame(answers, [50, 50, 50, 50]);
    for (const tab of [...tabs, later]) t.equal(await user(tab), "Bob");
    t.notOk((await told(later)).includes("nobody ended"));
  });

  t.test("the console's session is in a cookie that no script reads", async (t) => {
    const { context, tabs, refreshes } = await threeTabs(t, `${app.url}/console/`, (context) =>
      // Routing switches the browser's cache off: what the tabs share is the session alone.
      context.route("**/*", (route) => route.continue()),
    );
    const connect = (tab: Page) =>
      tab.evaluate(`(async () => {
        const { createClient } = await import("${app.url}/sdk/galley.js");
        window.db = createClient({ url: "${app.url}", admin: true });
        window.told = [];
        db.auth.onChange((user, why) => told.push((user ? user.email : "nobody") + " " + why));
        return (await db.auth.ready)?.email ?? null;
      })()`);
    const [first, second, third] = tabs;
    t.equal(await connect(first), null);
    const signIn = `db.auth.signIn(${JSON.stringify(ADMIN)}).then(({ user }) => user.role)`;
    t.equal(await first.evaluate(signIn), "owner");
    t.strictSame(await told(first), [`${ADMIN.email} in`]);
    const [cookie] = await context.cookies();
    t.match(cookie, { name: "galley-admin", httpOnly: true, sameSite: "Strict", path: "/" });
    t.notMatch(await first.evaluate("JSON.stringify({ ...localStorage }) + document.cookie"), /gr_|eyJ/);
    t.strictSame(await Promise.all([connect(second), connect(third)]), [ADMIN.email, ADMIN.email]);
    const before = refreshes();
    ahead += LIFE + 60_000;
    const listed = "Promise.all([1, 2, 3].map(() => db.auth.sessions.list())).then(([all]) => all.length)";
    t.strictSame(await Promise.all(tabs.map((tab) => tab.evaluate(listed))), [1, 1, 1]);
    t.equal(refreshes(), before + 3, "each tab for itself, since no tab can read another's");
    await first.reload();
    t.equal(await connect(first), ADMIN.email);
    await first.evaluate("db.auth.signOut()");
    t.strictSame(await context.cookies(), []);
    t.equal(await second.evaluate("db.auth.sessions.list().catch((error) => error.reason)"), "session_ended");
    t.strictSame(await told(second), [`${ADMIN.email} in`, "nobody ended"]);
    await until(async () => (await connect(third)) === null);
  });
}
