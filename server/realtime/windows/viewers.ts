import type { GalleyError } from "#protocol/errors";
import type { Reset } from "#protocol/frames";
import type { Change, Viewer } from "../contract.ts";

/** Viewers of one window that are looked at for whose they are: others would only add to those who may be served first. */
const MOST_LOOKED_AT = 32;

/** Those who show a window. Who has not been told `ready` hears of no change and no reset. */
export class Viewers {
  readonly #joining = new Set<Viewer>();
  readonly #ready = new Set<Viewer>();
  #telling: NodeJS.Immediate | undefined;

  get size(): number {
    return this.#joining.size + this.#ready.size;
  }

  /** How many are told of changes. */
  get watching(): number {
    return this.#ready.size;
  }

  /** Whose they are, of the first few; one at least. */
  get askers(): Iterable<string> {
    const names = new Set<string>();
    let looked = 0;
    for (const viewers of [this.#joining, this.#ready]) {
      for (const { asker } of viewers) {
        if (looked++ === MOST_LOOKED_AT) return names;
        names.add(asker.name);
      }
    }
    return names.size > 0 ? names : NOBODY;
  }

  add(viewer: Viewer): void {
    this.#joining.add(viewer);
  }

  /** @returns whether it was there */
  delete(viewer: Viewer): boolean {
    return this.#joining.delete(viewer) || this.#ready.delete(viewer);
  }

  /** Tells those who wait that it is live, in a later turn, if they may be told then. */
  readySoon(mayTell: (viewer: Viewer) => boolean): void {
    this.#telling ??= setImmediate(() => {
      this.#telling = undefined;
      for (const viewer of this.#joining) {
        if (!mayTell(viewer)) continue;
        this.#joining.delete(viewer);
        this.#ready.add(viewer);
        viewer.ready();
      }
    });
  }

  changed(change: Change): void {
    for (const viewer of this.#ready) viewer.changed(change);
  }

  /** They wait for `ready` again. */
  reset(reason: Reset): void {
    for (const viewer of [...this.#ready]) {
      // One that leaves meanwhile is not brought back.
      if (!this.#ready.delete(viewer)) continue;
      this.#joining.add(viewer);
      viewer.reset(reason);
    }
  }

  failed(error: GalleyError): void {
    const all = [...this.#joining, ...this.#ready];
    this.#joining.clear();
    this.#ready.clear();
    for (const viewer of all) viewer.failed(error);
  }
}

const NOBODY: readonly string[] = [""];
