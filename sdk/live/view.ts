import type { Judge } from "./judge.ts";
import type { Overlay, Passed, Row } from "./overlay.ts";

/** A list as the server tells it. */
export interface Base {
  readonly collection: string;
  readonly rows: readonly Row[];
  /** Others follow, which it does not hold. */
  readonly more: boolean;
  readonly judge: Judge;
  readonly passed: Passed;
}

export interface Viewed {
  readonly rows: readonly Row[];
  /** It shows writes that the server has not confirmed. */
  readonly pending: boolean;
}

/**
 * A list with this client's own writes on top: rows come, go and move as filter and sort say, as far as that can be told here.
 *
 * @param elsewhere what other results hold of a document, whole
 */
export function viewOf(base: Base, overlay: Overlay, elsewhere: (id: string) => Row | undefined): Viewed {
  let { rows } = base;
  let pending = false;
  for (const id of overlay.idsIn(base.collection, base.passed)) {
    const next = withOne(base, rows, id, overlay, elsewhere);
    pending ||= next !== rows || rows.some(({ _id }) => _id === id);
    rows = next;
  }
  return { rows, pending };
}

function withOne(
  { collection, more, judge, passed }: Base,
  rows: readonly Row[],
  id: string,
  overlay: Overlay,
  elsewhere: (id: string) => Row | undefined,
): readonly Row[] {
  const at = rows.findIndex(({ _id }) => _id === id);
  const held = at < 0 ? null : (rows[at] as Row);
  const whole = judge.isWhole ? (held ?? elsewhere(id)) : elsewhere(id);
  const document = overlay.shown(collection, id, whole ?? held, passed);
  if (document === (whole ?? held)) return rows;
  if (document === null) return held ? without(rows, at) : rows;
  const shown = overlay.partOf(document, judge.project(document));
  const isKnown = whole !== undefined || overlay.tells(collection, id, passed);
  if (!isKnown || !judge.isOrdered) {
    return held ? rows.map((row) => (row === held ? shown : row)) : rows;
  }
  const others = held ? without(rows, at) : rows;
  if (!judge.accepts(document)) return others;
  const index = judge.indexIn(others, judge.isWhole ? document : shown);
  // Behind the last one stands what is not held here.
  if (index === others.length && more) return others;
  return [...others.slice(0, index), shown, ...others.slice(index)].slice(0, judge.limit);
}

function without(rows: readonly Row[], at: number): readonly Row[] {
  return [...rows.slice(0, at), ...rows.slice(at + 1)];
}
