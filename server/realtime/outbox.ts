import type { Position } from "../stores/document-store.ts";
import type { Change } from "./contract.ts";
import { beatText, commitFrame } from "./server-frames.ts";
import type { ShownWindow } from "./shown-window.ts";

interface Part {
  readonly shown: ShownWindow;
  /** That of the window when it was queued. */
  readonly turn: number;
  readonly change: Change;
}

interface Commit {
  readonly position: Position;
  readonly parts: Part[];
}

interface Place {
  readonly position: Position;
  readonly text: (reached: Position) => string;
}

/**
 * What a socket is to be sent, in order, one frame a commit. What it must not be sent any more, because a right has gone or
 * a window was reset, is left out when it is taken.
 */
export class Outbox {
  /** The highest position that was sent, or that a frame says the socket has reached. */
  position: Position | undefined;
  #entries: (string | Commit | Place)[] = [];
  #beats = false;

  get size(): number {
    return this.#entries.length;
  }

  /** The last frame of the next turn tells how far the socket is. */
  beat(): void {
    this.#beats = true;
  }

  say(text: string): void {
    this.#entries.push(text);
  }

  /** Tells where the socket is, once what waits before it was sent: not before, or that would seem to be as far. */
  sayAt(position: Position, text: (reached: Position) => string): void {
    this.#entries.push({ position, text });
  }

  add(shown: ShownWindow, change: Change): void {
    const last = this.#entries.at(-1);
    const part = { shown, turn: shown.turn, change };
    // A refill comes at the position of the commit before it, which may have changed the same window.
    const joins =
      typeof last === "object" &&
      "parts" in last &&
      last.position === change.position &&
      !last.parts.some((other) => other.shown === shown);
    if (joins) last.parts.push(part);
    else this.#entries.push({ position: change.position, parts: [part] });
  }

  /** Whether something of a window waits that happened at a position or after it; undefined: at any. */
  holds(shown: ShownWindow, from: Position | undefined): boolean {
    return this.#entries.some(
      (entry) =>
        typeof entry === "object" &&
        "parts" in entry &&
        (from === undefined || entry.position >= from) &&
        entry.parts.some((part) => part.shown === shown && part.turn === shown.turn),
    );
  }

  /** Takes all of it as frames. @param now the position of which nothing is left to be told then */
  take(now: Position): (Buffer | string)[] {
    const entries = this.#entries;
    if (entries.length > 0) this.#entries = [];
    const frames: (Buffer | string)[] = [];
    for (const entry of entries) {
      if (typeof entry === "string") {
        frames.push(entry);
        continue;
      }
      if ("text" in entry) {
        frames.push(entry.text(this.reach(entry.position)));
        continue;
      }
      const changes = entry.parts.filter(({ shown, turn }) => shown.turn === turn).map(({ change }) => change);
      if (changes.length > 0) frames.push(commitFrame(this.reach(entry.position), changes));
    }
    if (this.#beats) frames.push(beatText(this.reach(now)));
    this.#beats = false;
    return frames;
  }

  /** Positions never go back on a socket; those of another history cannot be compared. */
  reach(position: Position): Position {
    const { position: before } = this;
    const back = before !== undefined && historyOf(before) === historyOf(position) && position < before;
    if (!back) this.position = position;
    return back ? before : position;
  }

  clear(): void {
    this.#entries = [];
  }
}

function historyOf(position: Position): string {
  return position.slice(0, position.lastIndexOf("."));
}
