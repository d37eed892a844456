/** A transcript, event by event, as far as the world has come. */
import type { Reset } from "#protocol/frames";
import { CheckedSubscription, type SubscriptionParts } from "./checked-subscription.ts";
import type { FaultList } from "./faults.ts";
import type { Frame, Transcript, TranscriptEvent } from "./transcript.ts";
import type { World } from "./world.ts";

/** What a check went over. */
export interface Tally {
  frames: number;
  changes: number;
  answers: number;
  resumed: number;
  sockets: number;
  readonly resets: Partial<Record<Reset, number>>;
  readonly closes: Record<number, number>;
  readonly errors: Record<string, number>;
}

export interface SocketParts {
  readonly world: World;
  readonly faults: FaultList;
  readonly tally: Tally;
  readonly resets: ReadonlySet<Reset>;
  /** Codes with which a subscription may end whatever its rights, and a socket may close. */
  readonly errors: ReadonlySet<string>;
  readonly closes: ReadonlySet<number>;
}

export class CheckedSocket {
  readonly #transcript: Transcript;
  readonly #parts: SocketParts;
  readonly #subscriptions = new Map<number, CheckedSubscription>();
  /** Refused, and not judged yet. */
  readonly #refused: CheckedSubscription[] = [];
  /** Windows of this socket that a subscription once showed which its client has ended. */
  readonly #given = new Set<string>();
  /** What can only be told once all of the log is known. */
  readonly #later: (() => void)[] = [];
  #next = 0;
  /** The place of an event, which is asked for at each commit. */
  #placed: { readonly event: TranscriptEvent; readonly order: string } | undefined;
  #position: string | undefined;

  constructor(transcript: Transcript, parts: SocketParts) {
    this.#transcript = transcript;
    this.#parts = parts;
  }

  /** Takes all that was said before a position; undefined: all. */
  advance(before: string | undefined): void {
    const { events } = this.#transcript;
    for (; this.#next < events.length; this.#next++) {
      const event = events[this.#next] as TranscriptEvent;
      if (before !== undefined && this.#orderOf(event) >= before) break;
      this.#take(event);
    }
    // What comes next stands further on, so the socket has passed where the world is now.
    if (this.#isPast(events[this.#next])) this.#reached();
  }

  end(): void {
    for (const one of this.#refused.splice(0)) one.judgeRefusal(true);
    for (const judge of this.#later) judge();
  }

  #isPast(event: TranscriptEvent | undefined): boolean {
    return event?.kind === "frame" && "pos" in event.frame && event.frame.t !== "welcome";
  }

  /** Empty for what has no place of its own. */
  #orderOf(event: TranscriptEvent): string {
    if (this.#placed?.event === event) return this.#placed.order;
    const order = event.kind === "frame" && "pos" in event.frame ? this.#parts.world.orderOf(event.frame.pos) : "";
    // What the log has not come to yet is looked for again.
    if (order === undefined) return "~";
    this.#placed = { event, order };
    return order;
  }

  #take(event: TranscriptEvent): void {
    const { tally, world } = this.#parts;
    switch (event.kind) {
      case "open":
        this.#position = undefined;
        tally.sockets++;
        break;
      case "sub": {
        const parts: SubscriptionParts = { ...this.#parts, who: this.#transcript.who };
        const name = `${this.#transcript.name} s ${event.s}`;
        this.#subscriptions.set(event.s, new CheckedSubscription(parts, name, event.question, event.held));
        break;
      }
      case "unsub":
        this.#unsub(event.s);
        break;
      case "frame":
        this.#frame(event.frame);
        break;
      case "close":
        tally.closes[event.code] = (tally.closes[event.code] ?? 0) + 1;
        if (!this.#parts.closes.has(event.code)) this.#fault(`was closed with ${event.code} ${event.reason}`);
        this.#close();
        break;
      case "finish":
        if (this.#position !== undefined && world.order > (world.orderOf(this.#position) ?? "~")) {
          this.#fault("was finished before it had come to the end");
        }
        for (const one of this.#subscriptions.values()) one.finish();
        break;
    }
  }

  #unsub(s: number): void {
    const found = this.#subscriptions.get(s);
    if (!found) return;
    if (found.window !== undefined) this.#given.add(found.window);
    this.#subscriptions.delete(s);
    this.#laterOf(found);
  }

  #close(): void {
    for (const one of this.#subscriptions.values()) this.#laterOf(one);
    // Nobody was told how far the socket was when it said so.
    for (const one of this.#refused.splice(0)) this.#later.push(() => one.judgeRefusal(true));
    this.#subscriptions.clear();
    this.#given.clear();
  }

  #laterOf(one: CheckedSubscription): void {
    const judge = one.breakOff();
    if (judge) this.#later.push(judge);
  }

  #frame(frame: Frame): void {
    this.#parts.tally.frames++;
    if ("pos" in frame) this.#move(frame.pos);
    switch (frame.t) {
      case "snapshot":
      case "value":
      case "current":
        this.#answer(frame);
        break;
      case "commit":
        this.#commit(frame);
        break;
      case "error":
        this.#error(frame);
        break;
    }
    if ("pos" in frame && frame.t !== "welcome") this.#reached();
  }

  /** Positions never go back. Those of another history begin anew, on another socket. */
  #move(position: string): void {
    const { world } = this.#parts;
    const order = world.orderOf(position);
    const before = this.#position && world.orderOf(this.#position);
    if (order === undefined) this.#fault(`was told ${position}, of a history that nobody knows`);
    else if (before !== undefined && order < before) this.#fault(`went back from ${this.#position} to ${position}`);
    this.#position = position;
    this.#judgeRefusals();
  }

  #answer(frame: Extract<Frame, { readonly t: "snapshot" | "value" | "current" }>): void {
    const { tally } = this.#parts;
    tally.answers++;
    if (frame.t === "current") tally.resumed++;
    if ("reset" in frame && frame.reset) tally.resets[frame.reset] = (tally.resets[frame.reset] ?? 0) + 1;
    const found = this.#subscriptions.get(frame.s);
    if (found) found.answer(frame);
    // The client may have ended it while this was under way.
    else this.#given.add(frame.w);
  }

  #commit({ pos, w }: Extract<Frame, { readonly t: "commit" }>): void {
    for (const [window, change] of Object.entries(w)) {
      this.#parts.tally.changes++;
      let showed = false;
      for (const one of this.#subscriptions.values()) {
        if (one.window !== window || one.state !== "told") continue;
        one.change(pos, change);
        showed = true;
      }
      if (!showed && !this.#given.has(window)) this.#fault(`was told of the window ${window}, which it does not show`);
    }
  }

  #error({ s, error }: Extract<Frame, { readonly t: "error" }>): void {
    const { tally, errors } = this.#parts;
    tally.errors[error.code] = (tally.errors[error.code] ?? 0) + 1;
    const found = s === undefined ? undefined : this.#subscriptions.get(s);
    if (s !== undefined) this.#subscriptions.delete(s);
    if (REFUSALS.has(error.code) && found) {
      found.refuse(error.code);
      this.#refused.push(found);
      return;
    }
    if (found) this.#laterOf(found);
    if (!errors.has(error.code) && (found || s === undefined)) this.#fault(`was told ${error.code}: ${error.message}`);
  }

  #judgeRefusals(): void {
    for (const one of this.#refused.splice(0)) if (!one.judgeRefusal(false)) this.#refused.push(one);
  }

  #reached(): void {
    for (const one of this.#subscriptions.values()) one.reached();
  }

  #fault(text: string): void {
    this.#parts.faults.add(this.#transcript.name, text);
  }
}

const REFUSALS: ReadonlySet<string> = new Set(["permission_denied", "unauthenticated"]);
