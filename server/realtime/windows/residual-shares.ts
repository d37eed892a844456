import { GalleyError } from "#protocol/errors";
import type { Asker } from "../contract.ts";

/**
 * Windows that every document of their collection is tried on, by who shows them. A node bears so many of them, and nobody
 * may take the place of all others.
 */
export class ResidualShares<W extends { readonly hasViewers: boolean }> {
  readonly #each: number;
  /** How many viewers of each asker show a window. */
  readonly #windows = new Map<W, Map<string, number>>();
  /** Windows that each asker shows. */
  readonly #held = new Map<string, number>();

  /** @param each windows of one asker */
  constructor(each: number) {
    this.#each = each;
  }

  /** A window that no value can find. */
  add(window: W): void {
    this.#windows.set(window, new Map());
  }

  /** It has ended. */
  delete(window: W): void {
    for (const asker of this.#windows.get(window)?.keys() ?? []) this.#give(asker);
    this.#windows.delete(window);
  }

  /** One that nobody shows any more, for another to have its place. */
  get spare(): W | undefined {
    for (const window of this.#windows.keys()) if (!window.hasViewers) return window;
    return undefined;
  }

  /** Somebody is about to show a window. @throws GalleyError `index_required` if they show too many such windows */
  enter(window: W, { name, isTrusted }: Asker): void {
    const viewers = this.#windows.get(window);
    if (!viewers) return;
    const count = viewers.get(name) ?? 0;
    const held = this.#held.get(name) ?? 0;
    if (count === 0) {
      if (held >= this.#each && !isTrusted) throw shareUsed(this.#each);
      this.#held.set(name, held + 1);
    }
    viewers.set(name, count + 1);
  }

  leave(window: W, { name }: Asker): void {
    const viewers = this.#windows.get(window);
    const count = viewers?.get(name) ?? 0;
    if (!viewers || count === 0) return;
    if (count > 1) viewers.set(name, count - 1);
    else {
      viewers.delete(name);
      this.#give(name);
    }
  }

  #give(asker: string): void {
    const held = this.#held.get(asker) ?? 0;
    if (held > 1) this.#held.set(asker, held - 1);
    else this.#held.delete(asker);
  }
}

function shareUsed(each: number): GalleyError {
  const message = `you watch ${each} questions already that no value of a field can find: ask for a value, a list of values or a range of some field too, or close some`;
  return new GalleyError("index_required", message, { reason: "share_used" });
}
