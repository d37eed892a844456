import type { GalleyError } from "#protocol/errors";
import type { Reset } from "#protocol/frames";
import type { Asker, BoundQuestion, Change, Viewer, Window, Windows } from "../contract.ts";
import { renamed } from "../windows/change-frame.ts";
import type { Subscription } from "./subscription.ts";

/** Who shows windows: one socket. */
export interface Shower {
  /** Something can be told of it. */
  ready(shown: ShownWindow): void;
  changed(shown: ShownWindow, change: Change): void;
  reset(shown: ShownWindow, reason: Reset): void;
  failed(shown: ShownWindow, error: GalleyError): void;
}

/** A window as one socket shows it, however many subscriptions it feeds. */
export class ShownWindow implements Viewer {
  readonly asker: Asker;
  readonly question: BoundQuestion;
  readonly subscriptions = new Set<Subscription>();
  /** Raised when what is queued of it must not be sent any more. */
  turn = 0;
  isLive = false;
  /** Subscriptions that were told the whole result, and so are told changes. */
  inStep = 0;
  /** What those call it. The window's own name, unless a subscription that is out of step goes by that. */
  name = "";
  readonly #shower: Shower;
  #window: Window | undefined;

  constructor(question: BoundQuestion, asker: Asker, shower: Shower) {
    this.asker = asker;
    this.question = question;
    this.#shower = shower;
  }

  /** @throws GalleyError */
  join(windows: Windows): void {
    this.#window = windows.join(this.question, this);
  }

  get window(): Window {
    if (this.#window) return this.#window;
    throw new Error("the window was not joined");
  }

  leave(): void {
    this.turn++;
    this.isLive = false;
    this.#window?.leave(this);
  }

  ready(): void {
    this.isLive = true;
    this.#shower.ready(this);
  }

  changed(change: Change): void {
    if (this.inStep === 0) return;
    const { name } = this.window;
    this.#shower.changed(this, this.name === name ? change : renamed(change, name, this.name));
  }

  reset(reason: Reset): void {
    this.turn++;
    this.isLive = false;
    this.inStep = 0;
    this.#shower.reset(this, reason);
  }

  failed(error: GalleyError): void {
    this.turn++;
    this.isLive = false;
    this.inStep = 0;
    this.#shower.failed(this, error);
  }
}
