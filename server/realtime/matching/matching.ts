import type { Node } from "#protocol/ast";
import { GalleyError } from "#protocol/errors";
import type { ObjectValue } from "#protocol/values";
import { CollectionIndex, type Standing } from "./collection-index.ts";
import { lackingField } from "./entries.ts";

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
   * @returns whether it is one of those
   * @throws GalleyError `index_required` if there are too many such windows already. Its `details.index` names a field
   *   of the filter, so of the rule perhaps: only who is exempt from rules may be told it
   */
  add(window: W): boolean;
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
/** Among so many, one is looked for one by one. */
const FEW = 32;

/** @param most windows that no value can find */
export function createMatching<W extends Watcher>(most = RESIDUAL_WINDOWS): Matching<W> {
  const collections = new Map<string, CollectionIndex<W>>();
  const standings = new Map<W, Standing>();
  let residual = 0;
  let found: W[] = [];
  let seen: Set<W> | undefined;

  /** Several entries may find a window. What only finds it looks at nothing of it, which memory might be slow to tell. */
  const find = (window: W): void => {
    if (found.length < FEW) {
      if (!found.includes(window)) found.push(window);
      return;
    }
    seen ??= new Set(found);
    if (seen.has(window)) return;
    seen.add(window);
    found.push(window);
  };

  return {
    get residual() {
      return residual;
    },
    add(window) {
      const known = standings.get(window);
      if (known) return isResidual(known);
      const index = collections.get(window.collection) ?? new CollectionIndex();
      const standing = index.place(window.filter);
      if (isResidual(standing)) {
        if (residual >= most) throw tooManyResidual(most, window.filter);
        residual++;
      }
      standings.set(window, standing);
      collections.set(window.collection, index);
      index.add(standing, window);
      return isResidual(standing);
    },
    remove(window, held) {
      const standing = standings.get(window);
      const index = collections.get(window.collection);
      if (!standing || !index) return;
      standings.delete(window);
      if (isResidual(standing)) residual--;
      index.remove(standing, window);
      for (const id of held) index.members.remove(id, window);
      if (index.empty) collections.delete(window.collection);
    },
    hold(window, id) {
      if (standings.has(window)) collections.get(window.collection)?.members.add(id, window);
    },
    release(window, id) {
      collections.get(window.collection)?.members.remove(id, window);
    },
    touched(collection, id, next) {
      const index = collections.get(collection);
      if (!index) return NONE;
      found = [];
      seen = undefined;
      index.members.each(id, find);
      if (next) index.meet(next, find);
      return found;
    },
  };
}

const NONE: readonly never[] = Object.freeze([]);

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
