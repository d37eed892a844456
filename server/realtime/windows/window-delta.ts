import type { SortKey } from "#protocol/ast";
import { type ListRow, sameRow } from "./window-row.ts";

/**
 * How the visible rows of a list changed, in the order of frames.ts `Delta`: take out every `rm` and every id in `up`,
 * then insert `up` in rising order, each at its final index. What is absent stays as it was.
 */
export interface ListDelta {
  readonly rm: readonly string[];
  readonly up: readonly (readonly [index: number, row: ListRow])[];
  readonly more?: boolean;
  readonly short?: boolean;
}

/** A row that a commit put in, took out or moved. */
export interface Move {
  readonly id: string;
  readonly wasVisible: boolean;
  /** Its index now; undefined if it is not visible. */
  readonly index: number | undefined;
}

/** A list before and after its moves. Rows that did not move kept their order. */
export interface Moved {
  readonly moves: ReadonlyMap<string, Move>;
  /** How many rows were visible, and are. */
  readonly before: number;
  readonly now: number;
  /** The list as it is. */
  readonly rows: readonly ListRow[];
  /** What followed after its last row until it was cut. */
  readonly cut: readonly ListRow[];
}

/** What the moves did to the visible rows. Costs what moved, not what the list holds. */
export function deltaOf({ moves, before, now, rows, cut }: Moved): ListDelta {
  const rm: string[] = [];
  const up: [number, ListRow][] = [];
  let stayed = before;
  let stay = now;
  for (const { id, wasVisible, index } of moves.values()) {
    if (wasVisible) stayed--;
    if (index !== undefined) {
      stay--;
      up.push([index, rows[index] as ListRow]);
    } else if (wasVisible) rm.push(id);
  }
  // Of the rows that did not move, the first `stayed` were visible and the first `stay` are.
  for (let i = now; stayed > stay; i++) {
    const { id } = (i < rows.length ? rows[i] : cut[i - rows.length]) as ListRow;
    if (moves.has(id)) continue;
    rm.push(id);
    stayed--;
  }
  for (let i = now - 1; stayed < stay; i--) {
    const row = rows[i] as ListRow;
    if (moves.has(row.id)) continue;
    up.push([i, row]);
    stayed++;
  }
  return { rm, up: up.sort(([a], [b]) => a - b) };
}

/** The difference of two lists of visible rows that stand at one position, so that what both hold is in one order. */
export function difference(sort: readonly SortKey[], from: readonly ListRow[], to: readonly ListRow[]): ListDelta {
  const old = new Map(from.map((row) => [row.id, row]));
  const up: [number, ListRow][] = [];
  for (const [index, row] of to.entries()) {
    const before = old.get(row.id);
    old.delete(row.id);
    if (!before || !sameRow(sort, before, row)) up.push([index, row]);
  }
  return { rm: [...old.keys()], up };
}
