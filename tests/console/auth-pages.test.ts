/** The pages that mailed links open, in a real browser. */
import t from "tap";
import { startApp } from "../support/app.ts";
import { startBrowser } from "../support/browser.ts";
import { mailFor } from "../support/mailbox.ts";
import { build } from "../support/programs.ts";

const PASSWORD = "plum-orbit-lantern-42";
const OTHER = "quartz-meadow-harbour-7";

const found = await startBrowser();
const skip = "missing" in found ? found.missing : false;

t.test("mailed links are opened by people", { skip }, async (t) => {
  if ("missing" in found) return;
  const { browser } = found;
  t.teardown(() => browser.close());
  await build("--if-older");
  const app = await startApp();
  t.teardown(() => app.close());
  const post = (path: string, body: object) => app.send("POST", `/v1/auth/${path}`, { body, as: null });
  const problems: string[] = [];
  const open = async (link: string) => {
    const tab = await browser.newPage();
    tab.on("console", (message) => {
      if (message.type() === "error" && !/status of 40[01]/.test(message.text())) problems.push(message.text());
    });
    tab.on("pageerror", (error) => problems.push(String(error)));
    await tab.goto(link);
    await tab.locator("form").waitFor();
    return tab;
  };

  await t.test("an address is confirmed by a click and the password, not by opening the link", async (t) => {
    const email = "ada@example.org";
    const { session } = (await post("sign-up", { email, password: PASSWORD })).json;
    const proven = async () => (await app.send("GET", "/v1/auth/me", { as: session.accessToken })).json.emailProven;
    const { link } = await mailFor(app.folder, email, "verify");
    const tab = await open(link as string);
    t.notOk(tab.url().includes("#"), "the secret is gone from the address bar");
    t.equal(await proven(), false);
    await tab.getByRole("button").click();
    await tab.getByLabel("Your password").fill(OTHER);
    await tab.getByRole("button").click();
    await tab.getByText("not valid any more").waitFor();
    await tab.getByLabel("Your password").fill(PASSWORD);
    await tab.getByRole("button").click();
    await tab.getByText("Your address is confirmed").waitFor();
    t.equal(await proven(), true);
    await tab.close();
  });

  await t.test("a password is set anew, and what is wrong with one is told", async (t) => {
    const email = "grace@example.org";
    await post("sign-up", { email, password: PASSWORD });
    await post("password/forgot", { email });
    const tab = await open((await mailFor(app.folder, email, "reset")).link as string);
    await tab.getByLabel("New password", { exact: true }).fill("short");
    await tab.getByRole("button").click();
    await tab.locator("#said[data-state=ill]").waitFor();
    await tab.getByLabel("New password", { exact: true }).fill(OTHER);
    await tab.getByRole("button").click();
    await tab.getByText("Your new password is set").waitFor();
    t.equal((await post("sign-in", { email, password: OTHER })).status, 200);
    await tab.close();
  });

  await t.test("an invitation is taken up", async (t) => {
    const email = "joan@example.org";
    await app.send("POST", "/v1/admin/users", { body: { email, roles: ["editor"] } });
    const tab = await open((await mailFor(app.folder, email, "invite")).link as string);
    await tab.getByLabel("Mail address").fill(email);
    await tab.getByLabel("Password").fill(PASSWORD);
    await tab.getByRole("button").click();
    await tab.getByText("Your account is ready").waitFor();
    t.match((await post("sign-in", { email, password: PASSWORD })).json.session.user, { roles: ["editor"] });
    await tab.close();
  });

  await t.test("the set-up link makes the first owner", async (t) => {
    const tab = await open((await app.app.setUpLink()) as string);
    await tab.getByLabel("Mail address").fill("owner@example.org");
    await tab.getByLabel("Password").fill(PASSWORD);
    await tab.getByRole("button").click();
    await tab.getByText("You are the owner").waitFor();
    const { json } = await post("sign-in", { email: "owner@example.org", password: PASSWORD, as: "admin" });
    t.equal(json.session.user.role, "owner");
    const { sessions } = (await app.send("GET", "/v1/auth/sessions", { as: json.session.accessToken })).json;
    t.equal(sessions.filter(({ endedAt }: { endedAt: string | null }) => endedAt === null).length, 1);
    await tab.close();
  });

  await t.test("who forgot a password asks for a link", async () => {
    const tab = await open(`${app.url}/auth/reset`);
    await tab.getByLabel("Mail address").fill("nobody@example.org");
    await tab.getByRole("button").click();
    await tab.getByText("a mail is on its way").waitFor();
    await tab.close();
  });

  t.strictSame(problems, [], "nothing was blocked or broken");
});
