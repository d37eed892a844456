import { parseClientFrame } from "#protocol/client-frame";
import { GalleyError } from "#protocol/errors";
import type { ClientFrame } from "#protocol/frames";
import { Allowance } from "./allowance.ts";
import type { LiveLimits } from "./live-limits.ts";

/** A frame as it came, or why it is none. `s`: the subscription that it would have been. */
export type Incoming =
  | { readonly frame: ClientFrame }
  | { readonly frame: undefined; readonly error: GalleyError; readonly s: number | undefined };

/** Reads what a client sends, and keeps it until what came before is dealt with. */
export class SessionInbox {
  readonly #limits: LiveLimits;
  readonly #questions: Allowance;
  readonly #others: Allowance;
  /** How many `sub` frames no `unsub` has come for: they have paid for it, so that a page may be left at once for another. */
  #paid = 0;
  readonly #waiting: { readonly item: Incoming; readonly characters: number }[] = [];
  #characters = 0;
  #isWorking = false;

  /** @param now milliseconds of a clock that never goes back */
  constructor(limits: LiveLimits, now: number) {
    this.#limits = limits;
    this.#questions = new Allowance(limits.questionBurst, limits.questionsPerSecond, now);
    this.#others = new Allowance(limits.othersPerSecond, limits.othersPerSecond, now);
  }

  /** @returns whether it may send that much */
  put(text: string, now: number): boolean {
    const { item, asks } = read(text);
    const isPaid = asks === "unsub" && this.#paid > 0;
    if (!(isPaid || (asks ? this.#questions : this.#others).take(now))) return false;
    if (asks === "sub") this.#paid++;
    if (isPaid) this.#paid--;
    this.#waiting.push({ item, characters: text.length });
    this.#characters += text.length;
    // The one that is being looked at may be as large as a frame can be.
    return this.#waiting.length === 1 || this.#characters <= this.#limits.waitingCharacters;
  }

  /** Deals with what waits, one by one, unless that is being done. @param take a promise: what follows waits for it */
  async work(take: (item: Incoming) => Promise<void> | undefined): Promise<void> {
    if (this.#isWorking) return;
    this.#isWorking = true;
    try {
      for (let item = this.#next(); item; item = this.#next()) {
        const pending = take(item);
        if (pending) await pending;
      }
    } finally {
      this.#isWorking = false;
    }
  }

  #next(): Incoming | undefined {
    const first = this.#waiting.shift();
    if (first) this.#characters -= first.characters;
    return first?.item;
  }
}

/** `asks`: the kind of a frame that is about a subscription. */
function read(text: string): { readonly item: Incoming; readonly asks: "sub" | "unsub" | undefined } {
  let input: unknown;
  try {
    input = JSON.parse(text);
  } catch {
    const error = new GalleyError("invalid_argument", "expects a frame: an object as JSON");
    return { item: { frame: undefined, error, s: undefined }, asks: undefined };
  }
  const { t, s } = typeof input === "object" && input !== null ? (input as { t?: unknown; s?: unknown }) : {};
  const asks = t === "sub" || t === "unsub" ? t : undefined;
  try {
    return { item: { frame: parseClientFrame(input) }, asks };
  } catch (error) {
    if (!(error instanceof GalleyError)) throw error;
    // Whoever asks is answered, also if nobody can tell what was asked.
    return { item: { frame: undefined, error, s: t === "sub" && isNumber(s) ? s : undefined }, asks };
  }
}

function isNumber(s: unknown): s is number {
  return typeof s === "number" && Number.isSafeInteger(s) && s >= 0;
}
