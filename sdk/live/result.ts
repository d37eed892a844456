import type { ApiError } from "../error.ts";
import { applyDelta, resultHash, type Versioned } from "../protocol/delta.ts";
import { ERRORS, type ErrorDetails } from "../protocol/errors.ts";
import type { FrameError, Have, ServerFrame, WindowChange } from "../protocol/frames.ts";
import type { LiveState } from "../types/live.ts";
import { changesOf } from "./changes.ts";
import type { LiveParts } from "./parts.ts";
import type { Watched } from "./question.ts";
import type { Viewed } from "./view.ts";

type Row = Versioned;
/** What is told of a result: its rows, and whether one was worked out here. */
type Encode = LiveParts["encodeObject"];
type View = Omit<Viewed, "rows"> & { readonly rows: readonly Row[]; readonly isGuess: (row: never) => boolean };
type Frame = ServerFrame<Row>;
export type Answer = Extract<Frame, { readonly t: "snapshot" | "value" | "current" }>;

/**
 * One question's result as frames make it: what is shown, and what to say to resume it. Pure: it knows no socket and no
 * time.
 */
export class Result {
  readonly watched: Watched;
  /** The server's name of its window on this connection; undefined while it is not in step. */
  window: string | undefined;
  #rows: readonly Row[] | undefined;
  #value: unknown;
  #shape = "";
  #short = false;
  #more = false;
  /** Where a value is exact, which may be before what the connection has reached. */
  #exact: string | undefined;
  #position: string | undefined;
  #error: ApiError | undefined;
  #told: LiveState<unknown> | undefined;
  #toldRows: readonly Row[] = [];

  readonly #encode: Encode;

  constructor(watched: Watched, encode: Encode) {
    this.watched = watched;
    this.#encode = encode;
  }

  get ended(): boolean {
    return this.#error !== undefined;
  }

  /** As the server told it; undefined before it did, and where it is no list. */
  get rows(): readonly Row[] | undefined {
    return this.#rows;
  }

  /** Others follow, which it does not hold. */
  get more(): boolean {
    return this.#more;
  }

  /** Where its last answer or change stands. */
  get position(): string | undefined {
    return this.#position;
  }

  /** What it still holds, so that the server need not send it again. */
  get have(): Have | undefined {
    if (!this.#rows || this.#short) return undefined;
    return { shape: this.#shape, hash: resultHash(this.#rows.map((row) => this.#encode(row, ""))) };
  }

  /** The answer to a subscription. */
  answer(frame: Answer): void {
    this.window = frame.w;
    this.#position = frame.pos;
    if (frame.t === "value") {
      this.#exact = frame.at;
      if (!this.#isSame({ value: this.#value }, { value: frame.value })) this.#value = frame.value;
      return;
    }
    this.#short = frame.short ?? false;
    this.#more = frame.more;
    if (frame.t === "snapshot") this.#rows = this.#kept(frame.rows, frame.shape === this.#shape);
    this.#shape = frame.shape;
  }

  /** @returns false if a change before this one was missed: then it must be asked for again */
  change(position: string, change: WindowChange<Row>): boolean {
    const held = this.#position;
    // What a list lacked, and a value computed anew, come at the position of the commit before.
    if (held !== undefined && position !== held && !isLater(position, held)) return true;
    if ("value" in change) {
      this.#value = change.value;
      this.#exact = change.at;
    } else {
      if (!this.#rows || held === undefined || !(change.prev <= held && sameHistory(change.prev, held))) return false;
      this.#rows = applyDelta(this.#rows, change, this.#known);
      this.#short = change.short ?? this.#short;
      this.#more = change.more ?? this.#more;
    }
    this.#position = position;
    return true;
  }

  end(error: ApiError): void {
    this.#error = error;
    this.#rows = undefined;
    this.#value = undefined;
    this.window = undefined;
  }

  /** Someone else is there now: nothing of what was shown may be seen any more. */
  empty(): void {
    this.#rows = undefined;
    this.#value = undefined;
    this.#error = undefined;
    this.#shape = "";
    this.window = undefined;
  }

  /**
   * The state to tell, undefined if it is as it was told last.
   *
   * @param view its rows with own writes on top, where there are any
   */
  state(connected: boolean, view?: View): LiveState<unknown> | undefined {
    const told = this.#told;
    const pending = view?.pending ?? false;
    const rows = this.#steady(view);
    const data = this.#data(rows, told?.data);
    const next: LiveState<unknown> = {
      data,
      more: this.watched.shows === "list" && data !== undefined && (view?.more ?? this.#more),
      changes: changesOf(this.#toldRows, rows ?? []),
      synced: connected && this.window !== undefined && !this.#short && !pending,
      pending,
      fromCache: false,
      error: this.#error,
      position: this.#exact ?? this.#position,
    };
    const isAlike = told && told.synced === next.synced && told.pending === pending && told.more === next.more;
    const same = isAlike && told.data === data && told.error === next.error;
    if (same || (!told && data === undefined && !next.error)) return undefined;
    this.#toldRows = rows ?? [];
    this.#told = next;
    return next;
  }

  /** What was told last, for one who joins. */
  get told(): LiveState<unknown> | undefined {
    return this.#told && { ...this.#told, changes: changesOf([], this.#toldRows) };
  }

  /** What a write was answered with is what the server's news of it say: the document that was shown stays the same object. */
  #steady(view: View | undefined): readonly Row[] | undefined {
    const rows = view?.rows ?? this.#rows;
    if (!view || !rows || !(view.pending || this.#told?.pending)) return rows;
    const told = this.#toldRows;
    const before = new Map(told.map((row) => [row._id, row]));
    const steady = rows.map((row) => {
      const old = before.get(row._id);
      // What is worked out here may be shown for what is the same, and never kept as what the server told.
      const isKnown = view.pending || !(view.isGuess(old as never) || view.isGuess(row as never));
      const isSame = isKnown && old?._v === row._v;
      // Who may write may see less of it in the answer than in a list.
      return old && (old === row || (isSame && this.#isSame(old, row))) ? old : row;
    });
    const kept = steady.length === told.length && steady.every((row, i) => row === told[i]) ? told : steady;
    if (!view.pending) this.#rows = kept;
    return kept;
  }

  #data(rows: readonly Row[] | undefined, before: unknown): unknown {
    switch (this.watched.shows) {
      case "value":
        return this.#value;
      case "list":
        return rows;
      case "one":
        return rows && (rows[0] ?? null);
      default:
        return before;
    }
  }

  /** The document that is held, if it is the same: another program may have changed it and left its version as it was. */
  readonly #known = (held: Row | undefined, row: Row): Row =>
    held && held._v === row._v && this.#isSame(held, row) ? held : row;

  #isSame(a: object, b: object): boolean {
    return this.#encode(a, "") === this.#encode(b, "");
  }

  /** Documents that are the same stay the same objects, and the list too if nothing is different. */
  #kept(rows: readonly Row[], sameShape: boolean): readonly Row[] {
    const before = this.#rows;
    if (!before || !sameShape) return rows;
    const held = new Map(before.map((row) => [row._id, row]));
    const next = rows.map((row) => this.#known(held.get(row._id), row));
    return next.length === before.length && next.every((row, i) => row === before[i]) ? before : next;
  }
}

/** Whether a position lies behind another; one of another history does. */
export function isLater(position: string, than: string | undefined): boolean {
  return than === undefined || position > than || !sameHistory(position, than);
}

function sameHistory(a: string, b: string): boolean {
  // A place has 16 digits.
  return a.slice(0, -16) === b.slice(0, -16);
}

/** @param Class handed in, as in transaction.ts */
export function errorOf({ code, message, details, requestId }: FrameError, Class: typeof ApiError): ApiError {
  return new Class(code, message, { status: ERRORS[code]?.status, details: details as ErrorDetails, requestId });
}
