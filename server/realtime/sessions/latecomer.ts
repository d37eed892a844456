import type { Asker, Viewer, Window, Windows } from "../contract.ts";
import type { ShownWindow } from "./shown-window.ts";
import type { Subscription } from "./subscription.ts";

/**
 * Joins a window that its socket shows already, for one subscription more: who subscribes to a value is shown no less than
 * was committed before, and what the others hold may be staler than that. It hears of nothing but that it may be shown.
 */
export class Latecomer implements Viewer {
  readonly asker: Asker;
  readonly #one: Subscription;
  readonly #mayShow: () => void;
  readonly #window: Window;

  /** @param mayShow called once, in a later turn, unless the subscription shows something else by then */
  constructor(one: Subscription, shown: ShownWindow, windows: Windows, mayShow: () => void) {
    this.asker = shown.asker;
    this.#one = one;
    this.#mayShow = mayShow;
    this.#window = windows.join(shown.question, this);
  }

  ready(): void {
    this.#window.leave(this);
    if (this.#one.late !== this) return;
    this.#one.late = undefined;
    this.#mayShow();
  }

  changed(): void {}

  reset(): void {}

  failed(): void {}
}
