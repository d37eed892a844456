import type { Node } from "#protocol/ast";
import type { ObjectValue } from "#protocol/values";

/** What has to hear of documents. */
export interface Watcher {
  readonly collection: string;
  /** Closed and normalised. */
  readonly filter: Node;
}

/** Which windows a changed document may touch; live-queries.md 5. One for a node. */
export interface Matching<W extends Watcher> {
  /** @throws GalleyError `index_required` if too many windows are there already that no value can find */
  add(window: W): void;
  /** @param held the ids that it still holds */
  remove(window: W, held: Iterable<string>): void;
  /** From now on the window hears of this document whatever becomes of it. Nothing happens if it does already. */
  hold(window: W, id: string): void;
  release(window: W, id: string): void;
  /**
   * Every window that holds the document, and every one whose filter accepts `next`, each once; others may be among
   * them, so the filter has the last word.
   *
   * @param next undefined if the document is gone
   */
  touched(collection: string, id: string, next: ObjectValue | undefined): readonly W[];
}
