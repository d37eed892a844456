/** A client of its own on a real socket: it asks, folds, loses its connection, comes back, and writes all of it down. */
import { WebSocket } from "ws";
import { applyDelta, resultHash } from "#protocol/delta";
import type { Have } from "#protocol/frames";
import type { Random } from "../trap-pool.ts";
import { until } from "../until.ts";
import type { Question } from "./question.ts";
import type { Frame, Shown, Transcript, TranscriptEvent } from "./transcript.ts";
import type { Who } from "./world.ts";

export interface SubscriberOptions {
  readonly name: string;
  readonly who: Who;
  readonly token: string | undefined;
  /** Of the node that it goes to next. */
  readonly url: () => string;
  readonly random: Random;
  readonly question: () => Question;
}

interface Held {
  readonly question: Question;
  rows: readonly Shown[] | undefined;
  shape: string;
  window: string | undefined;
  short: boolean;
}

const MOST_SUBSCRIPTIONS = 8;
/** Between tries to come back. */
const AGAIN_MS = [10, 150] as const;
/** After so many without news, nothing more was on its way. */
const NEWS_MS = 2000;
/** Pings while it waits for the end: a socket may send 20 a second of them. */
const PING_MS = 100;

export class Subscriber implements Transcript {
  readonly name: string;
  readonly who: Who;
  readonly events: TranscriptEvent[] = [];
  /** The highest position seen. */
  position: string | undefined;
  readonly #options: SubscriberOptions;
  readonly #held = new Map<number, Held>();
  #socket: WebSocket | undefined;
  #welcome = false;
  #lastS = 0;
  #ended = false;
  #lastNews = 0;
  #thereSince = Number.POSITIVE_INFINITY;
  #pinged = 0;
  /** It reads nothing until it is closed. */
  #isOutrun = false;
  #timers = new Set<NodeJS.Timeout>();

  constructor(options: SubscriberOptions) {
    this.#options = options;
    this.name = options.name;
    this.who = options.who;
  }

  get isWelcome(): boolean {
    return this.#welcome;
  }

  /** Questions of it whose answers are values. */
  get values(): number {
    return [...this.#held.values()].filter(({ question }) => question.kind === "value").length;
  }

  /** What it waits for, in words. */
  get state(): string {
    if (!this.#welcome)
      return `${this.name} nobody lets in, after ${JSON.stringify(this.events.filter(({ kind }) => kind === "close").slice(-3))}`;
    const waiting = [...this.#held.values()].filter(({ window, short }) => window === undefined || short);
    return `${this.name} is at ${this.position} and waits for ${waiting.map(({ question }) => question.text).join(", ")}`;
  }

  /** Opens a socket, and asks again for all that it had. */
  connect(): void {
    const socket = new WebSocket(`${this.#options.url().replace("http", "ws")}/v1/live`, "galley.v1", {
      perMessageDeflate: false,
      skipUTF8Validation: true,
    });
    this.#socket = socket;
    const after = this.position;
    let opened = false;
    socket.on("open", () => {
      opened = true;
      this.#note({ kind: "open", after });
      const { token } = this.#options;
      this.#send({ t: "hello", v: 1, ...(token !== undefined && { token }), ...(after !== undefined && { after }) });
      const before = [...this.#held.values()];
      this.#held.clear();
      for (const { question, ...held } of before) this.#ask(question, held);
    });
    socket.on("message", (data: Buffer) => {
      if (this.#socket === socket) this.#take(JSON.parse(data.toString()) as Frame);
    });
    socket.on("error", () => {});
    socket.on("close", (code, reason) => {
      if (this.#socket !== socket) return;
      if (opened) this.#note({ kind: "close", code, reason: reason.toString() });
      this.#lost();
      if (!this.#ended) this.#later(() => this.connect(), AGAIN_MS[0] + this.#options.random.below(AGAIN_MS[1]));
    });
  }

  /** Asks, ends, drops the connection, or reads nothing for a while. */
  churn(): void {
    const { random } = this.#options;
    if (!this.#welcome || this.#isOutrun) return;
    const numbers = [...this.#held.keys()];
    const kind = random.below(100);
    if (kind < 55 || numbers.length === 0) {
      if (numbers.length < MOST_SUBSCRIPTIONS) this.askSomething();
      else this.#unsub(random.pick(numbers));
    } else if (kind < 75) this.#unsub(random.pick(numbers));
    else if (kind < 85) this.drop();
    else if (kind < 93) this.stall(20 + random.below(150));
    else this.#send({ t: "auth", token: this.#options.token ?? null });
  }

  askSomething(): void {
    this.#ask(this.#options.question());
  }

  /** The connection goes without a word. */
  drop(): void {
    this.#socket?.terminate();
  }

  /** Reads nothing for so many milliseconds. */
  stall(milliseconds: number): void {
    const socket = this.#socket;
    if (!socket || socket.readyState !== WebSocket.OPEN) return;
    socket.pause();
    this.#later(() => {
      if (!this.#isOutrun) socket.resume();
    }, milliseconds);
  }

  /**
   * Reads nothing while more is written of what it asks than a server keeps for anybody. Then it reads what was on its way,
   * and that it was closed; it comes back, and ends the question.
   *
   * @returns false: nothing was done, because it is not connected at the moment
   */
  async beOutrun(question: Question, write: () => Promise<void>): Promise<boolean> {
    if (this.#isOutrun || !this.#welcome || this.#ended) return false;
    this.#isOutrun = true;
    // It may have been stalled.
    this.#socket?.resume();
    this.#ask(question);
    const found = () => [...this.#held].find(([, held]) => held.question === question);
    await until(
      () => !found() || found()?.[1].window !== undefined,
      60,
      () => `the answer of ${this.name}`,
    );
    const socket = this.#socket;
    if (socket?.readyState === WebSocket.OPEN) socket.pause();
    await write();
    socket?.resume();
    this.#lastNews = performance.now();
    await until(
      () => this.#socket !== socket || performance.now() - this.#lastNews > NEWS_MS,
      60,
      "an end of the news",
    );
    this.#isOutrun = false;
    const [s] = found() ?? [];
    if (s !== undefined) this.#unsub(s);
    return true;
  }

  /**
   * Whether it stands where everything is written, is told all, and nothing has come for a while. It is to be asked again
   * and again, for it asks where it stands meanwhile.
   *
   * @param isThere whether a position lies at the end
   */
  isQuiet(isThere: (position: string) => boolean, quietMs: number): boolean {
    const now = performance.now();
    const isAtEnd = this.#welcome && this.position !== undefined && isThere(this.position);
    if (!isAtEnd) {
      this.#thereSince = Number.POSITIVE_INFINITY;
      if (this.#welcome && now - this.#pinged > PING_MS) {
        this.#pinged = now;
        this.#send({ t: "ping" });
      }
      return false;
    }
    // What follows of the last commit, as results under other rights, may come a while after its position.
    this.#thereSince = Math.min(this.#thereSince, now);
    if (now - Math.max(this.#thereSince, this.#lastNews) <= quietMs) return false;
    return [...this.#held.values()].every(({ window, short }) => window !== undefined && !short);
  }

  /** Nothing more will be written, as far as anybody can know. */
  finish(): void {
    this.#note({ kind: "finish" });
    this.close();
  }

  close(): void {
    this.#ended = true;
    for (const timer of this.#timers) clearTimeout(timer);
    if (!this.#socket) return;
    this.#note({ kind: "close", code: 1000, reason: "" });
    const socket = this.#socket;
    this.#socket = undefined;
    socket.close(1000);
  }

  #ask(question: Question, before?: Pick<Held, "rows" | "shape" | "short">): void {
    const s = ++this.#lastS;
    const rows = before?.short ? undefined : before?.rows;
    this.#held.set(s, { question, rows, shape: before?.shape ?? "", window: undefined, short: false });
    const have: Have | undefined = rows && {
      shape: before?.shape ?? "",
      hash: resultHash(rows.map((row) => JSON.stringify(row))),
    };
    this.#note({ kind: "sub", s, question, ...(rows && { held: rows }) });
    const { position } = this;
    this.#send({
      t: "sub",
      s,
      q: question.query,
      ...(position !== undefined && { after: position }),
      ...(have && { have }),
    });
  }

  #unsub(s: number): void {
    this.#held.delete(s);
    this.#note({ kind: "unsub", s });
    this.#send({ t: "unsub", s });
  }

  #take(frame: Frame): void {
    this.#note({ kind: "frame", frame });
    if ("pos" in frame) this.position = frame.pos;
    if (frame.t !== "beat") this.#lastNews = performance.now();
    switch (frame.t) {
      case "welcome":
        this.#welcome = true;
        break;
      case "snapshot":
      case "current":
      case "value": {
        const held = this.#held.get(frame.s);
        if (!held) break;
        held.window = frame.w;
        held.short = frame.t !== "value" && frame.short === true;
        if (frame.t === "snapshot") held.rows = frame.rows;
        if (frame.t !== "value") held.shape = frame.shape;
        break;
      }
      case "commit":
        for (const [window, change] of Object.entries(frame.w)) {
          if ("value" in change) continue;
          for (const held of this.#held.values()) {
            if (held.window !== window || !held.rows) continue;
            held.rows = applyDelta(held.rows, change);
            held.short = change.short ?? held.short;
          }
        }
        break;
      case "error":
        if (frame.s !== undefined) this.#held.delete(frame.s);
        break;
    }
  }

  #lost(): void {
    this.#socket = undefined;
    this.#welcome = false;
    for (const held of this.#held.values()) held.window = undefined;
  }

  #note(event: TranscriptEvent): void {
    this.events.push(event);
  }

  #send(frame: object): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  #later(run: () => void, milliseconds: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, milliseconds);
    this.#timers.add(timer);
  }
}
