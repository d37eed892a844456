import { versionOf } from "../protocol/delta.ts";
import type { Evaluator } from "./evaluator.ts";
import type { Overlay, Passed, Row, Touches } from "./overlay.ts";

/** A list as the server tells it. */
export interface Base {
  readonly collection: string;
  readonly rows: readonly Row[];
  /** Others follow, which it does not hold. */
  readonly more: boolean;
  readonly evaluator: Evaluator;
  readonly passed: Passed;
}

export interface Viewed {
  readonly rows: readonly Row[];
  readonly more: boolean;
  /** It shows writes that the server has not confirmed. */
  readonly pending: boolean;
}

/** What another result holds of a document, whole; it may stand elsewhere. */
export interface Source {
  readonly row: Row;
  readonly passed: Passed;
  /** It stands further on. */
  readonly isAhead: boolean;
}

/** What becomes of one row, or of a document that was none. */
type Fate =
  /** It stays where it is, as it is shown now. */
  | { readonly kind: "stays"; readonly shown: Row }
  /** It stands where its keys say. */
  | { readonly kind: "moves"; readonly shown: Row }
  | { readonly kind: "goes" };

/**
 * A list with this client's own writes on top: rows come, go and move as filter and sort say, as far as that can be told here.
 *
 * @param elsewhere what other results hold of a document
 */
export function viewOf(base: Base, overlay: Overlay, elsewhere: (id: string) => Source | undefined): Viewed {
  const held = byId(base.rows);
  const fates = new Map<string, Fate>();
  let pending = false;
  for (const [id, touches] of overlay.touchedIn(base.collection)) {
    if (!overlay.isOpen(touches, base.passed)) continue;
    const row = held.get(id);
    const fate = fateOf(base, { id, touches, held: row }, overlay, elsewhere);
    if (fate && (row || fate.kind === "moves")) fates.set(id, fate);
    pending ||= row !== undefined;
  }
  if (fates.size === 0) return { rows: base.rows, more: base.more, pending };
  const all = withFates(base, fates);
  const { limit } = base.evaluator;
  const first = all.slice(0, limit);
  // What came in beyond the limit has changed nothing.
  const isSame = first.length === base.rows.length && first.every((row, i) => row === base.rows[i]);
  const rows = isSame ? base.rows : first;
  return { rows, more: base.more || all.length > limit, pending: pending || rows.some(({ _id }) => fates.has(_id)) };
}

/** A document that writes touch. */
interface Touched {
  readonly id: string;
  readonly touches: Touches;
  readonly held: Row | undefined;
}

/** What was made of a document, and of what. */
interface Known extends Pick<Touched, "held"> {
  readonly whole: Row | undefined;
  readonly isAhead: boolean | undefined;
  readonly fate: Fate | undefined;
}

/** Of each question: of thousands of writes on their way, few are different from one state to the next. */
const knownFates = new WeakMap<Evaluator, WeakMap<Touches, Known>>();

/** Undefined: nothing happens to it. */
function fateOf(
  base: Base,
  { id, touches, held }: Touched,
  overlay: Overlay,
  elsewhere: (id: string) => Source | undefined,
): Fate | undefined {
  const { evaluator } = base;
  const known = knownFates.get(evaluator) ?? new WeakMap<Touches, Known>();
  knownFates.set(evaluator, known);
  let source = evaluator.isWhole && held ? { row: held, passed: base.passed, isAhead: false } : elsewhere(id);
  // What has not come as far as the part that is held here says nothing of it.
  if (source && held && versionOf(source.row._v) < versionOf(held._v)) source = undefined;
  const { row: whole, isAhead } = source ?? {};
  const before = known.get(touches);
  if (before && before.held === held && before.whole === whole && before.isAhead === isAhead) return before.fate;
  const fate = newFateOf(base, { id, held }, source, overlay);
  // What is answered also depends on how far the result is.
  if (touches.every(({ write }) => write.state !== "answered")) known.set(touches, { held, whole, isAhead, fate });
  return fate;
}

function newFateOf(
  { collection, evaluator, passed }: Base,
  { id, held }: Omit<Touched, "touches">,
  source: Source | undefined,
  overlay: Overlay,
): Fate | undefined {
  const before = source?.row ?? held ?? null;
  // On top of it is what it has not come to yet.
  const document = overlay.shown(collection, id, before, source?.passed ?? passed);
  // What has them already shows here what this list has yet to come to.
  if (document === before && !source?.isAhead) return undefined;
  if (document === null) return { kind: "goes" };
  const shown = overlay.partOf(document, evaluator.project(document));
  const isKnown = source !== undefined || overlay.tells(collection, id, passed);
  if (!isKnown || !evaluator.isOrdered) return held && { kind: "stays", shown };
  return evaluator.accepts(document) ? { kind: "moves", shown } : { kind: "goes" };
}

/** In one pass, however many there are; with those that the limit leaves no place for. */
function withFates({ rows, more, evaluator }: Base, fates: ReadonlyMap<string, Fate>): readonly Row[] {
  const moved = firstOf(fates.values(), evaluator);
  const result: Row[] = [];
  let next = 0;
  for (const row of rows) {
    const fate = fates.get(row._id);
    if (fate && fate.kind !== "stays") continue;
    for (; next < moved.length && evaluator.compare(moved[next] as Row, row) < 0; next++)
      result.push(moved[next] as Row);
    result.push(fate?.shown ?? row);
  }
  // Behind the last one stands what is not held here.
  if (!more) result.push(...moved.slice(next));
  return result;
}

/** Those that move, in order, no more than the list may show: of thousands most stand behind all of these. */
function firstOf(fates: Iterable<Fate>, evaluator: Evaluator): readonly Row[] {
  const first: Row[] = [];
  for (const fate of fates) {
    if (fate.kind !== "moves") continue;
    const { shown } = fate;
    let low = 0;
    let high = first.length;
    if (high === evaluator.limit && evaluator.compare(first[high - 1] as Row, shown) < 0) continue;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (evaluator.compare(first[middle] as Row, shown) < 0) low = middle + 1;
      else high = middle;
    }
    first.splice(low, 0, shown);
    if (first.length > evaluator.limit) first.pop();
  }
  return first;
}

const indexes = new WeakMap<readonly Row[], ReadonlyMap<string, Row>>();

/** Rows by their ids; lists never change, so that each is gone through once. */
export function byId(rows: readonly Row[]): ReadonlyMap<string, Row> {
  const known = indexes.get(rows);
  if (known) return known;
  const made = new Map(rows.map((row) => [row._id, row]));
  indexes.set(rows, made);
  return made;
}
