/** Somebody who uses the chat of docs/examples/chat in a browser of their own. */
import type { Browser, BrowserContext, Locator, Page } from "playwright-core";
import { PASSWORD } from "./people.ts";

const HANG = 60_000;

export class ChatPerson {
  /** All that the server has told this browser, by frames and answers. */
  readonly heard: string[] = [];
  /** Errors of pages. */
  readonly troubles: string[] = [];
  readonly name: string;
  readonly handle: string;
  readonly context: BrowserContext;
  readonly page: Page;

  private constructor(name: string, context: BrowserContext, page: Page) {
    this.name = name;
    this.handle = name.split(" ")[0]?.toLowerCase() ?? "";
    this.context = context;
    this.page = page;
    this.#listen(page);
  }

  /** Opens a browser and signs up there. */
  static async join(browser: Browser, site: string, name: string): Promise<ChatPerson> {
    const context = await browser.newContext({ viewport: { width: 1000, height: 600 } });
    context.setDefaultTimeout(HANG);
    const page = await context.newPage();
    await page.clock.install();
    const person = new ChatPerson(name, context, page);
    await page.goto(site);
    await page.getByRole("button", { name: "I am new here" }).click();
    await page.getByLabel("Name").fill(name);
    await page.getByLabel("Handle").fill(person.handle);
    await page.getByLabel("Email").fill(`${person.handle}@example.org`);
    await page.getByLabel("Password").fill(PASSWORD);
    await page.getByRole("button", { name: "Create account" }).click();
    await page.getByRole("heading", { name: "Rooms" }).waitFor();
    return person;
  }

  /** Another tab of the same person, at the same place. */
  async openTab(): Promise<Page> {
    const page = await this.context.newPage();
    this.#listen(page);
    await page.goto(this.page.url());
    return page;
  }

  get composer(): Locator {
    return this.page.getByLabel("Message", { exact: true });
  }

  roomLink(name: string): Locator {
    return this.page.getByRole("link", { name });
  }

  async say(text: string): Promise<void> {
    await this.composer.fill(text);
    await this.composer.press("Enter");
  }

  /** Resolves when a message stands there, by the frame in which it does. */
  async sees(text: string, page = this.page): Promise<void> {
    try {
      await page.waitForFunction(
        (wanted) => [...document.querySelectorAll(".text")].some(({ textContent }) => textContent === wanted),
        text,
        { polling: "raf" },
      );
    } catch (cause) {
      throw new Error(`${this.name} does not see ${text}, but ${await page.innerText("body")}`, { cause });
    }
  }

  /** Texts of the open room, in order. */
  lines(page = this.page): Promise<string[]> {
    return page.locator(".message .text").allTextContents();
  }

  /**
   * Scrolls to the oldest message that is there, and so to where older ones are loaded.
   *
   * @returns what tells by how many pixels that message has moved since
   */
  async scrollUp(): Promise<() => Promise<number>> {
    const oldest = await this.page.locator(".message .text").first().elementHandle();
    if (!oldest) throw new Error("there is no message");
    // As it is painted: a browser that keeps its place does so at the end of a frame.
    const top = () =>
      oldest.evaluate(async (text) => {
        for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
        return text.getBoundingClientRect().top;
      });
    const before = await oldest.evaluate((text) => {
      const list = text.closest(".messages");
      if (list) list.scrollTop = -list.scrollHeight;
      return text.getBoundingClientRect().top;
    });
    return async () => (await top()) - before;
  }

  async newRoom(name: string): Promise<string> {
    await this.page.getByRole("button", { name: "New room" }).click();
    await this.page.getByRole("dialog").getByLabel("Name").fill(name);
    await this.page.getByRole("button", { name: "Create" }).click();
    await this.page.getByRole("heading", { name, level: 2 }).waitFor();
    return this.page.url().split("/rooms/")[1] ?? "";
  }

  async invite(other: ChatPerson): Promise<void> {
    await this.page.getByRole("button", { name: /^\d+ (?:person|people)$/ }).click();
    await this.page.getByLabel("Bring somebody in").fill(other.handle);
    await this.page.getByRole("button", { name: "Invite" }).click();
    await this.page.locator(".members").getByText(other.name).waitFor();
    await this.page.getByRole("button", { name: "Close" }).click();
  }

  async leave(): Promise<void> {
    await this.page.getByRole("button", { name: /^\d+ (?:person|people)$/ }).click();
    await this.page.getByRole("button", { name: "Leave room" }).click();
    await this.page.getByText("Choose a room").waitFor();
  }

  #listen(page: Page): void {
    page.on("pageerror", (error) => this.troubles.push(String(error)));
    page.on("websocket", (socket) => {
      socket.on("framereceived", ({ payload }) => this.heard.push(String(payload)));
    });
    page.on("response", async (response) => {
      // What a browser asks by itself, before it asks, has no body.
      if (response.url().includes("/v1/") && response.request().method() !== "OPTIONS")
        this.heard.push(await response.text().catch(() => ""));
    });
  }
}
