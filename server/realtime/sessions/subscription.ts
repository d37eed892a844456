import type { Have, Reset } from "#protocol/frames";
import type { Position } from "../../stores/document-store.ts";
import type { ParsedQuestion } from "../contract.ts";
import type { LiveSet, SetUser } from "../rights/live-set.ts";
import type { Latecomer } from "./latecomer.ts";
import type { ShownWindow } from "./shown-window.ts";

/**
 * One question of a socket:
 *
 *   asked -> judged       its rights are bound to it, in the flush of a turn
 *   judged -> asked       what its rights look up is read first; or they may have changed
 *   judged -> in step     it was told the whole result: from now on it is told changes
 *   in step -> judged     its window was reset, its rights name another one, or those of one that went by the same name do
 *   any -> gone           its client ended it, or an error did
 */
export class Subscription implements SetUser {
  /** As the client names it. */
  readonly s: number;
  readonly question: ParsedQuestion;
  /** What the client still holds of an earlier result. */
  have: Have | undefined;
  /** Why the next result that it is told is no first one. */
  reset: Reset | undefined;
  wasTold = false;
  /** It was told the result of `shown`. */
  inStep = false;
  /** By which its client knows changes of it, as it was told last. */
  name: string | undefined;
  shown: ShownWindow | undefined;
  /** It came when its socket showed that already, and is not to be told yet. */
  late: Latecomer | undefined;
  /** Of its last verdict: the lookups, and whether it depends on the time. */
  sets: ReadonlySet<LiveSet> = NONE;
  asksTime = false;
  /** Changes of rights that may concern it since its last verdict, and the earliest position of one; undefined: nobody knows. */
  marks = 0;
  markedAt: Position | undefined;
  /** Raised by each verdict, and by its end: what was begun for an earlier one is of no use. */
  turn = 0;
  isGone = false;
  readonly #marked: (subscription: Subscription, at: Position | undefined) => void;

  constructor(
    s: number,
    question: ParsedQuestion,
    have: Have | undefined,
    marked: (subscription: Subscription, at: Position | undefined) => void,
  ) {
    this.s = s;
    this.question = question;
    this.have = have;
    this.#marked = marked;
  }

  setChanged(at: Position | undefined): void {
    this.#marked(this, at);
  }
}

const NONE: ReadonlySet<LiveSet> = new Set();
