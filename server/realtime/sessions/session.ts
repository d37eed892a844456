import { GalleyError } from "#protocol/errors";
import { CLOSE, type ClientFrame } from "#protocol/frames";
import type { Position } from "../../stores/document-store.ts";
import type { LiveCaller, LiveSession, Outlet } from "../contract.ts";
import { reached } from "./ahead.ts";
import { closeFor } from "./close-codes.ts";
import type { Identified } from "./identity.ts";
import type { LiveNode } from "./live-node.ts";
import { byeText, welcomeText } from "./server-frames.ts";
import { type Incoming, SessionInbox } from "./session-inbox.ts";
import { SessionPrincipal } from "./session-principal.ts";
import { SessionSender } from "./session-sender.ts";
import { Subscriptions } from "./subscriptions.ts";
import type { Turning } from "./wheel.ts";

type Frame<T extends ClientFrame["t"]> = Extract<ClientFrame, { t: T }>;

/**
 * One socket's talk; live-queries.md 7.
 *
 *   silent -> greeting     the first frame, which must be `hello`
 *   greeting -> open       its token holds, this node has reached `after`, its rights are those of now: `welcome`
 *   open -> open           `auth`: the frames behind it wait
 *   any -> closed          whatever the table of close codes names, or the socket has gone
 *
 * While it is open its frames may be held, which stops what goes out and nothing else: until it is known again what its
 * principal may do, and while this node does not know what others changed. Nothing of what is shown is sent but in
 * {@link flush}, which first binds the rights anew that may have changed.
 */
export class Session implements LiveSession, Turning {
  #isAwake = false;
  readonly #node: LiveNode;
  readonly #outlet: Outlet;
  readonly #inbox: SessionInbox;
  readonly #principal: SessionPrincipal;
  readonly #subscriptions: Subscriptions;
  readonly #sender: SessionSender;
  #state: "silent" | "greeting" | "open" | "closed" = "silent";
  /** The highest that the client has chosen for a subscription. */
  #lastS = -1;
  #faults = 0;
  #isTimed = false;
  readonly #forgetDeadline: () => void;

  constructor(node: LiveNode, outlet: Outlet, caller: LiveCaller) {
    const { limits, wheel, lookups, windows, counters } = node;
    this.#node = node;
    this.#outlet = outlet;
    this.#inbox = new SessionInbox(limits, node.monotonic());
    const asked = lookups.ask();
    const end = (code: number, reason: string) => this.#end(code, reason);
    this.#subscriptions = new Subscriptions({
      ...{ windows, lookups, asked, limits, counters, rulesTurn: node.rulesTurn },
      standing: () => this.#principal.standing,
      isHeld: () => this.#principal.isHeld || !node.isOpen(),
      asker: () => this.#principal.asker,
      session: this,
      failed: node.errors.of,
      refused: (error, subscription) => this.#principal.refusal(error, subscription),
    });
    this.#principal = new SessionPrincipal({
      ...{ node, caller, asked, end, session: this },
      now: () => {
        this.#subscriptions.noteTime();
        return node.clock();
      },
      changed: (times, at) => this.#subscriptions.markAll(times, at),
      failed: (error) => this.#endBy(error),
    });
    this.#sender = new SessionSender({
      outlet,
      limits,
      tooSlow: end,
      subscriptions: this.#subscriptions,
      session: this,
    });
    this.#forgetDeadline = wheel.after(limits.helloSeconds, () => end(CLOSE.unauthenticated, "no hello came in time"));
    wheel.add(this);
  }

  receive(text: string): void {
    if (this.#isClosed) return;
    if (!this.#inbox.put(text, this.#node.monotonic())) {
      this.#end(CLOSE.tooMany, "too many frames");
      return;
    }
    this.#inbox.work((item) => this.#take(item)).catch((error: unknown) => this.#endBy(error));
  }

  drain(retry: number): void {
    this.flush();
    const { position = this.#node.tail.position } = this.#subscriptions.outbox;
    if (this.#state === "open") this.#outlet.send([byeText(position, retry)]);
    this.#end(CLOSE.draining, "this server is about to stop");
  }

  /** This node takes on nobody at the moment. */
  refuse(code: number, reason: string): void {
    this.#end(code, reason);
  }

  end(): void {
    this.#close();
  }

  beat(): void {
    if (this.#state !== "open") return;
    this.#subscriptions.outbox.beat();
    this.wake();
  }

  /** What its principal may do may have changed, by a commit at this position; undefined: nobody knows when. */
  principalChanged(at: Position | undefined): Promise<void> {
    return this.#isClosed ? Promise.resolve() : this.#principal.renew(at);
  }

  /** Rules go by another time now. */
  timeChanged(): void {
    this.#subscriptions.markTimed();
  }

  /** Commits were missed: whatever it shows is judged anew. Resolves when it is known whom it is shown to. */
  lost(): Promise<void> {
    this.#subscriptions.markAll(1, undefined);
    return this.principalChanged(undefined);
  }

  /** It has something to do in the flush of this turn. */
  wake(): void {
    if (this.#isAwake || this.#isClosed) return;
    this.#isAwake = true;
    this.#node.wake(this);
  }

  /** Sends what waits, one frame a commit, as far as rights allow it now. */
  flush(): void {
    this.#isAwake = false;
    if (this.#isClosed || this.#principal.endIfOver()) return;
    try {
      this.#flush();
    } catch (error) {
      this.#endBy(error);
    }
  }

  #flush(): void {
    const node = this.#node;
    if (this.#principal.isHeld || !node.isOpen()) {
      this.#sender.hold();
      return;
    }
    this.#subscriptions.judge();
    const { asksTime } = this.#subscriptions;
    if (asksTime !== this.#isTimed) node.setTimed(this, asksTime);
    this.#isTimed = asksTime;
    this.#sender.send(node.tail);
  }

  /** @returns a promise if what follows has to wait */
  #take(item: Incoming): Promise<void> | undefined {
    if (this.#isClosed) return undefined;
    const { frame } = item;
    if (this.#state === "silent" && frame?.t !== "hello") {
      const error = frame ? new GalleyError("invalid_argument", "t: expects hello first") : item.error;
      this.#outlet.send([this.#node.errors.of(error, undefined)]);
      this.#end(CLOSE.policy, "the first frame must be a hello of version 1");
      return undefined;
    }
    if (!frame) return this.#fault(item.error, item.s !== undefined && this.#isNew(item.s) ? item.s : undefined);
    switch (frame.t) {
      case "hello":
        return this.#greet(frame);
      case "auth":
        return this.#authorize(frame);
      case "sub":
        this.#subscribe(frame);
        return undefined;
      case "unsub":
        this.#subscriptions.remove(frame.s);
        return undefined;
      case "ping":
        this.beat();
        return undefined;
    }
  }

  #greet({ token, after }: Frame<"hello">): Promise<void> | undefined {
    if (this.#state !== "silent") {
      return this.#fault(new GalleyError("invalid_argument", "t: hello comes once"), undefined);
    }
    this.#state = "greeting";
    this.#forgetDeadline();
    const found = this.#principal.identify(token);
    if (found instanceof Promise || after !== undefined) return this.#greetLater(found, after);
    // Known in this turn, from which on every change of them is heard of.
    if (this.#principal.become(found)) this.#welcome(found);
    return undefined;
  }

  async #greetLater(finding: Identified | Promise<Identified>, after: string | undefined): Promise<void> {
    const found = await finding;
    try {
      await reached(after, this.#node);
    } catch (error) {
      this.#end(CLOSE.ahead, error instanceof GalleyError ? error.message : "");
    }
    if (!this.#isClosed) await this.#enter(found);
  }

  async #authorize({ token }: Frame<"auth">): Promise<void> {
    const found = await this.#principal.identify(token ?? undefined);
    if (this.#isClosed) return;
    if (!this.#principal.isSame(found.principal)) {
      this.#subscriptions.endAll(new GalleyError("unauthenticated", "someone else has signed in on this socket"));
    }
    await this.#enter(found);
  }

  /** Whoever was found is asked for once more: from here on every change of them is heard of. */
  async #enter(found: Identified): Promise<void> {
    if (!this.#principal.become(found)) return;
    await this.#principal.renew(undefined);
    if (!this.#isClosed) this.#welcome(found);
  }

  #welcome(found: Identified): void {
    this.#state = "open";
    const { tail, limits, clock } = this.#node;
    const text = (reached: Position) => welcomeText(found, reached, limits.beatSeconds, clock());
    this.#subscriptions.outbox.sayAt(tail.position, text);
    this.wake();
  }

  #subscribe({ s, q, after, have }: Frame<"sub">): void {
    const { limits, questions, countRequest } = this.#node;
    if (!this.#isNew(s)) {
      const message = `s: expects a number above ${this.#lastS}, the last one, since none is used twice`;
      this.#fault(new GalleyError("invalid_argument", message), undefined);
      return;
    }
    try {
      countRequest(this.#principal.standing.principal);
      if (this.#subscriptions.size >= limits.subscriptions) {
        throw new GalleyError("rate_limited", `a socket holds at most ${limits.subscriptions} subscriptions`);
      }
      this.#subscriptions.add(s, questions.parse(q), have, reached(after, this.#node));
    } catch (error) {
      this.#say(error, s);
    }
  }

  /** Whether it may be the name of a new subscription. It is used then, whatever comes of it. */
  #isNew(s: number): boolean {
    if (s <= this.#lastS) return false;
    this.#lastS = s;
    return true;
  }

  #fault(error: GalleyError, s: number | undefined): undefined {
    this.#say(error, s);
    if (++this.#faults < this.#node.limits.faults) return;
    this.flush();
    this.#end(CLOSE.policy, "too many faulty frames");
  }

  #say(error: unknown, s: number | undefined): void {
    this.#subscriptions.outbox.say(this.#node.errors.of(error, s));
    this.wake();
  }

  get #isClosed(): boolean {
    return this.#state === "closed";
  }

  #endBy(error: unknown): void {
    if (this.#isClosed) return;
    const { code, reason } = closeFor(error);
    if (code === CLOSE.internal) this.#node.log.error({ err: error }, "a live session failed");
    this.#end(code, reason);
  }

  #end(code: number, reason: string): void {
    if (this.#isClosed) return;
    const { closes } = this.#node.counters;
    closes[code] = (closes[code] ?? 0) + 1;
    this.#close();
    this.#outlet.close(code, reason);
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#state = "closed";
    this.#forgetDeadline();
    this.#principal.close();
    this.#subscriptions.clear();
    this.#node.wheel.remove(this);
    this.#node.ended(this);
  }
}
