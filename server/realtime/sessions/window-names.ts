import type { ShownWindow } from "./shown-window.ts";
import type { Subscription } from "./subscription.ts";

/**
 * What the windows of one socket are called. Changes come by the name of a window, for all subscriptions that were told its
 * result by that. A subscription that is out of step goes by the last name that it was told until it is told anew, and its
 * client would take what comes by it for its own: so nobody else is told a result by that name meanwhile.
 */
export class WindowNames {
  /** How many subscriptions go by each. */
  readonly #held = new Map<string, number>();
  #others = 0;

  /** By what a subscription is to be told the result of a window: its own name, unless that is another's still. */
  of(one: Subscription, shown: ShownWindow): string {
    if (shown.inStep > 0) return shown.name;
    const { name } = shown.window;
    const held = (this.#held.get(name) ?? 0) - (one.name === name ? 1 : 0);
    return held > 0 ? `${name}.${++this.#others}` : name;
  }

  told(one: Subscription, shown: ShownWindow, name: string): void {
    shown.name = name;
    if (one.name === name) return;
    this.forget(one);
    one.name = name;
    this.#held.set(name, (this.#held.get(name) ?? 0) + 1);
  }

  /** Its client has ended it, or was told of its end. */
  forget(one: Subscription): void {
    const { name } = one;
    if (name === undefined) return;
    const left = (this.#held.get(name) ?? 1) - 1;
    if (left > 0) this.#held.set(name, left);
    else this.#held.delete(name);
    one.name = undefined;
  }
}
