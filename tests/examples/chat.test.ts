/**
 * The chat example, as a stranger would run it: built by Vite, in browsers of three people, on a Galley in a process of
 * its own. `GALLEY_CHAT_OFFLINE_SECONDS=60` lets the time without a network be a real minute.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { startBrowser } from "../support/browser.ts";
import { freeAddress, serveChat, startChatServer } from "../support/chat-app.ts";
import { ChatPerson } from "../support/chat-person.ts";
import { program, temporaryFolder } from "../support/command-line.ts";
import { onEachEngine } from "../support/engines.ts";
import { ROOT } from "../support/own-modules.ts";
import { build } from "../support/programs.ts";
import { PROCESS_KEY } from "../support/server-process.ts";
import { until } from "../support/until.ts";

const OFFLINE = Number(process.env.GALLEY_CHAT_OFFLINE_SECONDS ?? 0) * 1000;
const MINUTE = 60_000;
/** Messages that were there before. */
const HISTORY = 120;
/** In every text that is said in the room, and nowhere else. */
const MARK = "mug";

type Who = "a" | "b";

const found = await startBrowser();
if ("missing" in found) t.test("the chat in browsers", { skip: found.missing }, async () => {});
else {
  const { browser } = found;
  t.teardown(() => browser.close());
  await build("--if-older");
  const galley = await freeAddress();
  const site = await serveChat(t, galley);

  onEachEngine(t, async (t, engine) => {
    const server = await startChatServer(t, engine, galley, site);
    const enter = async (name: string) => {
      const person = await ChatPerson.join(browser, site, name);
      t.teardown(() => person.context.close());
      return person;
    };
    const [ann, bob, carl] = await Promise.all([enter("Ann Hill"), enter("Bob Lee"), enter("Carl Orr")]);
    const room = await ann.newRoom("Tea kitchen");
    await server.tell(
      room,
      ann.handle,
      Array.from({ length: HISTORY }, (_, i) => `${MARK} old ${i}`),
    );
    const people = { a: ann, b: bob };
    /** All that was said since, by author in order. */
    const said: Record<Who, string[]> = { a: [], b: [] };
    const next = (who: Who) => {
      const text = `${MARK} ${who}${said[who].length}`;
      said[who].push(text);
      return text;
    };
    const say = (who: Who) => people[who].say(next(who));

    t.test("who is brought in sees the room, and others do not", async (t) => {
      await carl.page.goto(`${site}/#/rooms/${room}`);
      await ann.invite(bob);
      await bob.roomLink("Tea kitchen").click();
      await bob.page.getByRole("button", { name: "2 people" }).waitFor();
      await carl.page.getByText("There is no such room").waitFor();
      t.equal(await carl.roomLink("Tea kitchen").count(), 0);
    });

    t.test("its types are those that the server tells", async (t) => {
      const env = { GALLEY_SERVICE_KEY: PROCESS_KEY };
      const types = await program(temporaryFolder(t), ["types", "--url", galley], env);
      t.equal(types.out, readFileSync(join(ROOT, "docs/examples/chat/src/galley.d.ts"), "utf8"), types.err);
    });

    t.test("a message is in the other browser within a second", async (t) => {
      const times: number[] = [];
      for (let i = 0; i < 9; i++) {
        const [from, to] = i % 2 ? (["b", ann] as const) : (["a", bob] as const);
        const text = next(from);
        await people[from].composer.fill(text);
        const begun = performance.now();
        const shown = to.sees(text);
        await people[from].composer.press("Enter");
        await shown;
        times.push(performance.now() - begun);
      }
      const median = times.sort((x, y) => x - y)[4] as number;
      t.comment(`from key to picture: ${times.map(Math.round).join(" ")} ms`);
      t.ok(median <= 1000, `${median} ms`);
      const message = bob.page.locator(".message", { hasText: `${MARK} a0` });
      t.match(await message.locator(".author").textContent(), "Ann Hill");
    });

    t.test("who types is shown, until they send or fall silent", async () => {
      const line = ann.page.getByText("Bob Lee is typing");
      await bob.composer.pressSequentially("So");
      await line.waitFor();
      await ann.page.clock.fastForward(6000);
      await line.waitFor({ state: "detached" });
      await bob.page.clock.fastForward(3000);
      await bob.composer.pressSequentially(" did");
      await line.waitFor();
      await say("b");
      await line.waitFor({ state: "detached" });
    });

    t.test("what others have said since one looked is counted", async (t) => {
      await bob.newRoom("Attic");
      const link = bob.roomLink("Tea kitchen");
      for (let i = 0; i < 3; i++) await say("a");
      await link.getByText("3 unread").waitFor();
      await link.click();
      await bob.sees(said.a.at(-1) as string);
      await bob.roomLink("Attic").click();
      await bob.page.getByRole("heading", { name: "Attic", level: 2 }).waitFor();
      const tab = await bob.openTab();
      await tab.getByText("Nothing has been said yet").waitFor();
      t.equal(await tab.locator(".badge").count(), 0, "nor in another tab");
      // Browsers draw the tab behind once a second.
      await bob.page.bringToFront();
      await say("a");
      await link.getByText("1 unread").waitFor();
      await tab.getByText("1 unread").waitFor();
      await tab.close();
      await link.click();
      await bob.sees(said.a.at(-1) as string);
    });

    t.test("what is refused is shown, says why, and goes", async (t) => {
      const long = "x".repeat(2001);
      await bob.say(long);
      await bob.sees(long);
      await bob.page.getByText("Not sent: text: expects at most 2000 characters, got 2001").waitFor();
      await bob.page.getByRole("button", { name: "Drop" }).click();
      await until(async () => !(await bob.lines()).includes(long));
      t.notOk((await ann.lines()).includes(long));
    });

    t.test("nothing is lost, repeated or in another order through kill -9 and a time without a network", async (t) => {
      const both = async (times: number) => {
        for (let i = 0; i < times; i++) await Promise.all([say("a"), say("b")]);
      };
      const agree = async () => {
        for (const person of [ann, bob]) {
          for (const all of [said.a, said.b]) await person.sees(all.at(-1) as string);
          await until(async () => (await person.page.getByText("Sending…").count()) === 0);
        }
        const lines = await Promise.all([ann.lines(), bob.lines()]);
        t.strictSame(lines[0], lines[1], "the same on both sides");
        for (const who of ["a", "b"] as const) {
          t.strictSame(
            lines[0]?.filter((line) => line.startsWith(`${MARK} ${who}`)),
            said[who],
            `what ${who} has said, once and in order`,
          );
        }
      };
      await both(1);
      await server.kill();
      await both(3);
      for (const { page } of [ann, bob]) await page.getByText("Reconnecting…").waitFor();
      await server.start();
      await agree();

      await bob.context.setOffline(true);
      await bob.page.getByText("Reconnecting…").waitFor();
      await both(3);
      await bob.sees(said.b.at(-1) as string);
      await bob.page.clock.fastForward(MINUTE);
      await new Promise((resolve) => setTimeout(resolve, OFFLINE));
      t.notOk((await bob.lines()).includes(said.a.at(-1) as string));
      await bob.context.setOffline(false);
      await agree();
    });

    t.test("older messages come as one scrolls up, and nothing jumps", async (t) => {
      await ann.page.reload();
      await ann.sees(said.b.at(-1) as string);
      const { length } = await ann.lines();
      const place = await ann.scrollUp();
      await until(async () => (await ann.lines()).length > length);
      t.ok(Math.abs(await place()) < 1, "as older ones are put above");
      await say("b");
      await until(async () => (await ann.lines()).includes(said.b.at(-1) as string));
      t.ok(Math.abs(await place()) < 1, "and a new one below");
      const all = HISTORY + said.a.length + said.b.length;
      await until(async () => {
        await ann.scrollUp();
        return new Set(await ann.lines()).size === all;
      });
    });

    t.test("who leaves has nothing of the room any more", async (t) => {
      const tab = await bob.openTab();
      await bob.sees(said.a.at(-1) as string, tab);
      await bob.leave();
      await tab.getByText("There is no such room").waitFor();
      t.strictSame(await bob.lines(tab), []);
      await tab.close();
      await ann.page.getByRole("button", { name: "1 person" }).waitFor();
      bob.heard.length = 0;
      await say("a");
      await until(async () => (await ann.page.getByText("Sending…").count()) === 0);
      await bob.newRoom("Cellar");
      t.notMatch(bob.heard.join("\n"), new RegExp(`${MARK}|Tea kitchen|${room}`));
    });

    t.test("who is in no room has heard nothing of it, and no page has failed", async (t) => {
      await carl.newRoom("Den");
      const heard = carl.heard.join("\n");
      t.match(heard, /"welcome"/);
      t.match(heard, /"Den"/);
      t.notMatch(heard, new RegExp(`${MARK}|Tea kitchen|${room}`));
      for (const { troubles } of [ann, bob, carl]) t.strictSame(troubles, []);
    });
  });
}
