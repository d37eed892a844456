/** Someone who shows a window as a client does: takes the result once, then folds what is told. */
import { applyDelta, resultHash } from "#protocol/delta";
import type { GalleyError } from "#protocol/errors";
import type { Delta, Reset } from "#protocol/frames";
import type { Asker, BoundQuestion, Change, Viewer, Window, Windows } from "../../server/realtime/contract.ts";

/** A document as a frame holds it. */
export interface Shown {
  readonly _id: string;
  readonly _v: number;
}

export class FoldingViewer implements Viewer {
  readonly asker: Asker;
  readonly question: BoundQuestion;
  readonly resets: Reset[] = [];
  /** What no client could have followed, in words. */
  readonly faults: string[] = [];
  readonly changes: Change[] = [];
  error: GalleyError | undefined;
  /** Undefined until the result was taken, and after a reset. */
  rows: readonly Shown[] | undefined;
  more = false;
  short = false;
  value: { readonly value: unknown; readonly at: string } | undefined;
  readonly #position: () => string;
  readonly #window: Window;
  #isReady = false;
  #stands = "";

  /** @param position where the socket would stand */
  constructor(windows: Windows, question: BoundQuestion, position: () => string, asker = SOMEBODY) {
    this.asker = asker;
    this.question = question;
    this.#position = position;
    this.#window = windows.join(question, this);
  }

  get window(): Window {
    return this.#window;
  }

  ready(): void {
    if (this.#isReady) this.faults.push("told ready twice");
    this.#isReady = true;
    this.#take();
  }

  #take(): void {
    if (!this.#isReady || this.error) return;
    const state = this.#window.snapshot();
    if (state instanceof Promise) {
      void state.then(() => this.#take());
      return;
    }
    this.#stands = this.#position();
    if (state.kind === "value") {
      this.value = { value: JSON.parse(state.text), at: state.position };
      return;
    }
    this.rows = state.rows.map((text) => JSON.parse(text));
    ({ more: this.more, short: this.short } = state);
    const hash = resultHash(this.rows.map((row) => JSON.stringify(row)));
    if (state.hash() !== hash) this.faults.push("the hash is not the rows'");
  }

  changed(change: Change): void {
    if (!this.#isReady) this.faults.push("a change before ready");
    this.changes.push(change);
    const told: Delta<Shown> | { readonly value: unknown; readonly at: string } = JSON.parse(`{${change.member}}`)[
      this.#window.name
    ];
    if ("value" in told) this.value = told;
    else if (this.rows) this.#fold(this.rows, told, change.position);
    this.#stands = change.position;
  }

  #fold(rows: readonly Shown[], delta: Delta<Shown>, position: string): void {
    const comparable = historyOf(delta.prev) === historyOf(this.#stands);
    if (comparable && delta.prev > this.#stands) this.faults.push(`stood at ${this.#stands}, told ${delta.prev}`);
    if (comparable && position < this.#stands) this.faults.push(`went back from ${this.#stands} to ${position}`);
    this.rows = applyDelta(rows, delta);
    if (applyDelta(this.rows, delta).some((row, i) => row !== this.rows?.[i])) {
      const again = applyDelta(this.rows, delta);
      if (JSON.stringify(again) !== JSON.stringify(this.rows)) this.faults.push("a delta does more the second time");
    }
    this.more = delta.more ?? this.more;
    this.short = delta.short ?? this.short;
  }

  reset(reason: Reset): void {
    if (!this.#isReady) this.faults.push("a reset before ready");
    this.#isReady = false;
    this.rows = undefined;
    this.value = undefined;
    this.resets.push(reason);
  }

  failed(error: GalleyError): void {
    this.error = error;
    this.rows = undefined;
  }

  leave(): void {
    this.#isReady = false;
    this.rows = undefined;
    this.#window.leave(this);
  }
}

const SOMEBODY: Asker = { name: "user/somebody", isTrusted: false };

function historyOf(position: string): string {
  return position.slice(0, position.lastIndexOf("."));
}
