import type { GalleyError } from "#protocol/errors";
import type { Have, Reset } from "#protocol/frames";
import { Unsettled } from "../../access/rule-binder.ts";
import type { Position } from "../../stores/document-store.ts";
import type { BoundQuestion, Change, ParsedQuestion } from "../contract.ts";
import { Latecomer } from "./latecomer.ts";
import { Outbox } from "./outbox.ts";
import { ResultQueue } from "./result-queue.ts";
import { type Shower, ShownWindow } from "./shown-window.ts";
import { Subscription } from "./subscription.ts";
import type { SubscriptionsOptions } from "./subscriptions-options.ts";
import { WindowNames } from "./window-names.ts";

/** What one socket shows, and where each part of it stands. Rights come first: {@link judge} before {@link Outbox.take}. */
export class Subscriptions implements Shower {
  readonly outbox = new Outbox();
  readonly results: ResultQueue;
  readonly #options: SubscriptionsOptions;
  readonly #session: SubscriptionsOptions["session"];
  readonly #all = new Map<number, Subscription>();
  /** By what they show. */
  readonly #shown = new Map<string, ShownWindow>();
  readonly #names = new WindowNames();
  /** Those whose rights are to be bound, for the first time or again. */
  #unjudged: Set<Subscription> | undefined;
  /** Those by which all were judged, or are about to be. */
  #rulesTurn: number;
  #timed = 0;
  #asksTime = false;

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
    this.#rulesTurn = options.rulesTurn();
    this.#session = options.session;
    const { limits, counters, session } = options;
    const failed = (one: Subscription, error: unknown) => this.end(one, error);
    this.results = new ResultQueue({ limits, counters, session, names: this.#names, failed });
  }

  get size(): number {
    return this.#all.size;
  }

  /** Whether rights of one of them depend on the time. */
  get asksTime(): boolean {
    return this.#timed > 0;
  }

  /** To be called where a rule asks for the time. */
  noteTime(): void {
    this.#asksTime = true;
  }

  add(s: number, question: ParsedQuestion, have: Have | undefined, after: Promise<void> | undefined): void {
    const added = new Subscription(s, question, have, (one, at) => this.#mark(one, at));
    this.#all.set(s, added);
    this.#options.counters.subscriptions++;
    if (!after) this.#judgeSoon(added);
    after?.then(
      () => added.isGone || this.#judgeSoon(added),
      (error) => this.end(added, error),
    );
  }

  remove(s: number): void {
    const found = this.#all.get(s);
    if (!found) return;
    // What comes for it its client passes over by now.
    this.#outOfStep(found, "rights");
    this.#forget(found);
  }

  /** An error ends it. */
  end(subscription: Subscription, error: unknown): void {
    if (!subscription.isGone) this.#endWith(subscription, this.#options.failed(error, subscription.s));
  }

  endAll(error: GalleyError): void {
    for (const one of [...this.#all.values()]) this.end(one, error);
  }

  /** The socket has gone. */
  clear(): void {
    for (const one of [...this.#all.values()]) this.#forget(one);
    this.outbox.clear();
  }

  /** Rights of all of them may have changed, so many times since a position; undefined: nobody knows since when. */
  markAll(times: number, at: Position | undefined): void {
    for (const one of this.#all.values()) for (let i = 0; i < times; i++) this.#mark(one, at);
  }

  /** A new tick of the time by which rules go. */
  markTimed(): void {
    for (const one of this.#all.values()) if (one.asksTime) this.#mark(one, undefined);
  }

  /** More changes wait than may: whole results are told instead. */
  skipChanges(): void {
    this.outbox.dropChanges();
    for (const shown of this.#shown.values()) if (shown.inStep > 0) this.#tellAnew(shown, "resume");
  }

  /** Binds the rights of those that may have other ones now. */
  judge(): void {
    const turn = this.#options.rulesTurn();
    if (turn !== this.#rulesTurn) this.markAll(turn - this.#rulesTurn, undefined);
    this.#rulesTurn = turn;
    const unjudged = this.#unjudged;
    if (!unjudged) return;
    for (const one of unjudged) {
      unjudged.delete(one);
      this.#judge(one);
    }
    this.#unjudged = undefined;
  }

  ready(shown: ShownWindow): void {
    for (const one of shown.subscriptions) this.#tellSoon(one);
    this.#session.wake();
  }

  changed(shown: ShownWindow, change: Change): void {
    this.outbox.add(shown, change);
    this.#session.wake();
  }

  reset(shown: ShownWindow, reason: Reset): void {
    for (const one of shown.subscriptions) this.#outOfStep(one, reason);
  }

  failed(shown: ShownWindow, error: GalleyError): void {
    for (const one of [...shown.subscriptions]) this.end(one, error);
  }

  #mark(one: Subscription, at: Position | undefined): void {
    if (one.isGone) return;
    one.markedAt = one.marks++ === 0 ? at : earlier(one.markedAt, at);
    // One that is not judged yet, because it waits for a position or for lookups, will be in time.
    if (one.turn > 0) this.#judgeSoon(one);
  }

  #judgeSoon(one: Subscription): void {
    this.#unjudged ??= new Set();
    this.#unjudged.add(one);
    this.#session.wake();
  }

  #judge(one: Subscription): void {
    const { marks, markedAt, shown } = one;
    one.turn++;
    one.marks = 0;
    one.markedAt = undefined;
    if (one.wasTold) this.#options.counters.rebinds++;
    let bound: BoundQuestion | undefined;
    try {
      bound = this.#bound(one);
      if (bound && bound.identity === shown?.question.identity) {
        // What was right before and after may have been wrong between: nothing of that time is told.
        if (marks > 1 && one.inStep && this.outbox.holds(shown, markedAt)) this.#tellAnew(shown);
        return;
      }
      this.#leave(one);
      if (bound) this.#show(one, bound);
      else this.#settle(one);
    } catch (error) {
      this.#refuse(one, error);
    }
  }

  /** While that is explained, nothing of it is shown, and its rights may change again. */
  #refuse(one: Subscription, error: unknown): void {
    const told = this.#options.refused(error, one);
    if (typeof told === "string") {
      this.#endWith(one, told);
      return;
    }
    this.#leave(one);
    const { turn } = one;
    const { rulesTurn, isHeld } = this.#options;
    // Where they may have, it is judged anew in the next flush.
    const isCurrent = () => turn === one.turn && one.marks === 0 && rulesTurn() === this.#rulesTurn;
    void told.then((text) => {
      if (!isCurrent()) return;
      if (isHeld()) this.#judgeSoon(one);
      else this.#endWith(one, text);
    });
  }

  #endWith(one: Subscription, text: string): void {
    this.#forget(one);
    this.outbox.say(text);
    this.#session.wake();
  }

  /** Undefined: lookups have to be read first. @throws GalleyError */
  #bound(one: Subscription): BoundQuestion | undefined {
    const { asked, lookups, standing } = this.#options;
    const sets = asked.note();
    this.#asksTime = false;
    try {
      return one.question.bind(standing().scope(one.question.collection));
    } catch (error) {
      if (error instanceof Unsettled) return undefined;
      throw error;
    } finally {
      lookups.use(one, one.sets, sets);
      one.sets = sets;
      this.#setAsksTime(one, this.#asksTime);
    }
  }

  #settle(one: Subscription): void {
    const { turn } = one;
    const isCurrent = () => turn === one.turn && !one.isGone;
    const { lookups, asker } = this.#options;
    lookups.read(one.sets, asker().name).then(
      () => isCurrent() && this.#judgeSoon(one),
      (error) => isCurrent() && this.end(one, error),
    );
  }

  #show(one: Subscription, question: BoundQuestion): void {
    const { windows, asker } = this.#options;
    const known = this.#shown.get(question.identity);
    const shown = known ?? new ShownWindow(question, asker(), this);
    if (!known) {
      shown.join(windows);
      this.#shown.set(question.identity, shown);
    } else if (question.kind === "value") one.late = new Latecomer(one, shown, windows, () => this.ready(shown));
    one.shown = shown;
    shown.subscriptions.add(one);
    this.#tellSoon(one);
  }

  #tellSoon(one: Subscription): void {
    if (!one.late && !one.inStep && one.shown?.isLive) this.results.add(one);
  }

  /** Its window's changes stop for it, also those that wait; what it is told next is a whole result. */
  #leave(one: Subscription): void {
    const { shown, inStep } = one;
    if (!shown) return;
    this.#outOfStep(one, "rights");
    one.shown = undefined;
    one.late = undefined;
    shown.subscriptions.delete(one);
    if (shown.subscriptions.size === 0) {
      this.#shown.delete(shown.question.identity);
      shown.leave();
    } else if (inStep) {
      // To its client it still shows this window: what is told to the others would be taken for its own.
      this.#tellAnew(shown);
    }
  }

  #outOfStep(one: Subscription, reason: Reset): void {
    this.results.delete(one);
    if (one.wasTold) one.reset = reason;
    if (one.inStep && one.shown && one.shown.inStep > 0) one.shown.inStep--;
    one.inStep = false;
  }

  /** All who show a window are told its result again, instead of what waits. */
  #tellAnew(shown: ShownWindow, reason: Reset = "rights"): void {
    shown.turn++;
    for (const one of shown.subscriptions) {
      this.#outOfStep(one, reason);
      this.#tellSoon(one);
    }
  }

  #setAsksTime(one: Subscription, asksTime: boolean): void {
    if (one.asksTime !== asksTime) this.#timed += asksTime ? 1 : -1;
    one.asksTime = asksTime;
  }

  #forget(one: Subscription): void {
    one.isGone = true;
    one.turn++;
    this.#options.counters.subscriptions--;
    this.#all.delete(one.s);
    this.#unjudged?.delete(one);
    this.results.delete(one);
    this.#leave(one);
    this.#names.forget(one);
    this.#setAsksTime(one, false);
    this.#options.lookups.use(one, one.sets, NO_SETS);
  }
}

/** Rules are known to have changed only when the next frames are due, which may be after what changed later. Undefined: nobody knows. */
function earlier(one: Position | undefined, other: Position | undefined): Position | undefined {
  if (one === undefined || other === undefined) return undefined;
  return one < other ? one : other;
}

const NO_SETS: Subscription["sets"] = new Set();
