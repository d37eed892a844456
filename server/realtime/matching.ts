import type { Node } from "#protocol/ast";
import { GalleyError } from "#protocol/errors";
import type { ObjectValue } from "#protocol/values";
import { CollectionIndex, type Standing } from "./matching/collection-index.ts";
import { lackingField } from "./matching/entries.ts";

/** What has to hear of documents. */
export interface Watcher {
  readonly collection: string;
  /** Closed and normalised. */
  readonly filter: Node;
}

/** Which windows a changed document may touch; live-queries.md 5. One for a node. */
export interface Matching<W extends Watcher> {
  /** Windows that no value can find and that every document of their collection is tried on. */
  readonly residual: number;
  /**
   * @throws GalleyError `index_required` if there are too many such windows already. Its `details.index` names a field
   *   of the filter, so of the rule perhaps: only who is exempt from rules may be told it
   */
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

/** Windows of a node that no value can find. */
const RESIDUAL_WINDOWS = 2000;

/** @param most windows that no value can find */
export function createMatching<W extends Watcher>(most = RESIDUAL_WINDOWS): Matching<W> {
  const collections = new Map<string, CollectionIndex<Registered<W>>>();
  const registered = new Map<W, Registered<W>>();
  let residual = 0;
  let round = 0;
  let found: W[] = [];

  /** Several entries may find a window. */
  const find = (item: Registered<W>): void => {
    if (item.round === round) return;
    item.round = round;
    found.push(item.window);
  };

  return {
    get residual() {
      return residual;
    },
    add(window) {
      if (registered.has(window)) return;
      const index = collections.get(window.collection) ?? new CollectionIndex();
      const standing = index.place(window.filter);
      if (isResidual(standing)) {
        if (residual >= most) throw tooManyResidual(most, window.filter);
        residual++;
      }
      const item = { window, standing, round: 0 };
      registered.set(window, item);
      collections.set(window.collection, index);
      index.add(standing, item);
    },
    remove(window, held) {
      const item = registered.get(window);
      const index = collections.get(window.collection);
      if (!item || !index) return;
      registered.delete(window);
      if (isResidual(item.standing)) residual--;
      index.remove(item.standing, item);
      for (const id of held) index.members.remove(id, item);
      if (index.empty) collections.delete(window.collection);
    },
    hold(window, id) {
      const item = registered.get(window);
      if (item) collections.get(window.collection)?.members.add(id, item);
    },
    release(window, id) {
      const item = registered.get(window);
      if (item) collections.get(window.collection)?.members.remove(id, item);
    },
    touched(collection, id, next) {
      const index = collections.get(collection);
      if (!index) return NONE;
      round++;
      found = [];
      index.members.each(id, find);
      if (next) index.meet(next, find);
      return found;
    },
  };
}

const NONE: readonly never[] = Object.freeze([]);

interface Registered<W> {
  readonly window: W;
  readonly standing: Standing;
  /** When it was found last. */
  round: number;
}

function isResidual(standing: Standing): boolean {
  return "every" in standing && standing.every === "residual";
}

function tooManyResidual(most: number, filter: Node): GalleyError {
  const field = lackingField(filter)?.join(".");
  const there = `there are ${most} live queries already that no value of a field can find`;
  const wanted = `ask for a value, a list of values or a range of ${field === undefined ? "some field" : JSON.stringify(field)} too`;
  return new GalleyError(
    "index_required",
    `${there}: ${wanted}`,
    field === undefined ? {} : { index: { paths: [field] } },
  );
}
