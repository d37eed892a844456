import type { Position } from "../../stores/document-store.ts";
import type { Change } from "../contract.ts";
import { beatText, commitFrame } from "./server-frames.ts";
import type { ShownWindow } from "./shown-window.ts";

/** What waits, in order, each with the one behind it: there is one for every socket and commit, so it is one object. */
type Entry =
  | { readonly kind: "text"; readonly text: string; next: Entry | undefined }
  | {
      readonly kind: "place";
      readonly position: Position;
      readonly text: (reached: Position) => string;
      next: Entry | undefined;
    }
  | Part;

interface Part {
  readonly kind: "part";
  readonly shown: ShownWindow;
  /** That of the window when it was queued. */
  readonly turn: number;
  readonly change: Change;
  /** It is of the same commit as the one before. */
  readonly joins: boolean;
  next: Entry | undefined;
}

/**
 * What a socket is to be sent, in order, one frame a commit. What it must not be sent any more, because a right has gone or
 * a window was reset, is left out when it is taken.
 */
export class Outbox {
  /** The highest position that was sent, or that a frame says the socket has reached. */
  position: Position | undefined;
  /** Frames that wait. */
  size = 0;
  #first: Entry | undefined;
  #last: Entry | undefined;
  /** The first part of the last commit. */
  #commit: Part | undefined;
  #beats = false;

  /** The last frame of the next turn tells how far the socket is. */
  beat(): void {
    this.#beats = true;
  }

  say(text: string): void {
    this.#push({ kind: "text", text, next: undefined });
  }

  /** Tells where the socket is, once what waits before it was sent: not before, or that would seem to be as far. */
  sayAt(position: Position, text: (reached: Position) => string): void {
    this.#push({ kind: "place", position, text, next: undefined });
  }

  add(shown: ShownWindow, change: Change): void {
    const joins = this.#joins(shown, change);
    const part: Part = { kind: "part", shown, turn: shown.turn, change, joins, next: undefined };
    this.#push(part);
    if (joins) this.size--;
    else this.#commit = part;
  }

  /** Whether something of a window waits that happened at a position or after it; undefined: at any. */
  holds(shown: ShownWindow, from: Position | undefined): boolean {
    for (let entry = this.#first; entry; entry = entry.next) {
      if (entry.kind !== "part" || entry.shown !== shown || entry.turn !== shown.turn) continue;
      if (from === undefined || entry.change.position >= from) return true;
    }
    return false;
  }

  /** Takes all of it as frames. @param now where the socket is then: nothing up to there is left to be told */
  take(now: { readonly position: Position }): (Buffer | string)[] {
    const frames: (Buffer | string)[] = [];
    let entry = this.#first;
    this.clear();
    while (entry) {
      if (entry.kind === "part") {
        entry = this.#takeCommit(entry, frames);
        continue;
      }
      frames.push(entry.kind === "text" ? entry.text : entry.text(this.reach(entry.position)));
      entry = entry.next;
    }
    if (this.#beats) frames.push(beatText(this.reach(now.position)));
    this.#beats = false;
    return frames;
  }

  /** Positions never go back on a socket; those of another history cannot be compared. */
  reach(position: Position): Position {
    const { position: before } = this;
    if (before === undefined || position >= before || historyOf(before) !== historyOf(position)) {
      this.position = position;
      return position;
    }
    return before;
  }

  /** Leaves out all changes: of what they are of, whole results are told. */
  dropChanges(): void {
    let entry = this.#first;
    this.clear();
    while (entry) {
      const { next }: Entry = entry;
      entry.next = undefined;
      if (entry.kind !== "part") this.#push(entry);
      entry = next;
    }
  }

  clear(): void {
    this.#first = undefined;
    this.#last = undefined;
    this.#commit = undefined;
    this.size = 0;
  }

  #push(entry: Entry): void {
    if (this.#last) this.#last.next = entry;
    else this.#first = entry;
    this.#last = entry;
    this.size++;
  }

  /** A refill comes at the position of the commit before it, which may have changed the same window: that is a frame of its own. */
  #joins(shown: ShownWindow, { position }: Change): boolean {
    if (this.#last?.kind !== "part" || this.#commit?.change.position !== position) return false;
    for (let entry: Entry | undefined = this.#commit; entry?.kind === "part"; entry = entry.next) {
      if (entry.shown === shown) return false;
    }
    return true;
  }

  /** @returns what follows it */
  #takeCommit(commit: Part, frames: (Buffer | string)[]): Entry | undefined {
    let first: Change | undefined;
    let others: Change[] | undefined;
    let entry: Entry | undefined = commit;
    do {
      const { change, shown, turn, next }: Part = entry;
      if (shown.turn === turn) {
        if (first === undefined) first = change;
        else if (others) others.push(change);
        else others = [change];
      }
      entry = next;
    } while (entry?.kind === "part" && entry.joins);
    if (first) frames.push(commitFrame(this.reach(commit.change.position), first, others));
    return entry;
  }
}

function historyOf(position: Position): string {
  return position.slice(0, position.lastIndexOf("."));
}
