import type { GalleyError } from "#protocol/errors";
import type { Reset } from "#protocol/frames";
import type { Change, Viewer } from "../contract.ts";

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

  add(viewer: Viewer): void {
    this.#joining.add(viewer);
  }

  delete(viewer: Viewer): void {
    this.#joining.delete(viewer);
    this.#ready.delete(viewer);
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
