/** One subscription of one socket, folded frame by frame and held against the world at each position. */
import { applyDelta } from "#protocol/delta";
import type { Delta, Reset, WindowChange } from "#protocol/frames";
import type { FaultList } from "./faults.ts";
import type { Question } from "./question.ts";
import { sameJson } from "./same-json.ts";
import { stableText } from "./stable-text.ts";
import type { Frame, Shown } from "./transcript.ts";
import type { View } from "./view.ts";
import type { Who, World } from "./world.ts";

export type Answer = Extract<Frame, { readonly t: "snapshot" | "value" | "current" }>;

export interface SubscriptionParts {
  readonly world: World;
  readonly faults: FaultList;
  /** Why results may be told anew beside rights and drops. */
  readonly resets: ReadonlySet<Reset>;
  readonly who: Who;
}

/** Commits that wait together at most, to be told in one turn. */
const MOST_WAITING = 500;
/** Commits at most, of those who write at once, that are stored and were not told yet. */
const MOST_AHEAD = 64;

/** It was not what it should be, from a position on. */
interface Wrong {
  readonly since: string;
  /** Its number. */
  readonly commit: number;
  readonly text: string;
  /** It has become right again, and nothing was told. */
  readonly isMended: boolean;
}

/**
 *   asked -> told       it was answered
 *   told -> stale       it is not what it should be: rights moved, or a change was missed, which its next frames tell
 *   stale -> told       it was told anew
 *   any -> gone
 */
export class CheckedSubscription {
  readonly question: Question;
  readonly view: View;
  window: string | undefined;
  state: "asked" | "told" | "gone" = "asked";
  readonly #name: string;
  readonly #parts: SubscriptionParts;
  #rows: readonly Shown[];
  #more = false;
  #short = false;
  #value: { readonly text: string; readonly at: string } | undefined;
  /** Where its window's last delta stood, or its answer. */
  #stands = "";
  #deltas = 0;
  /** Where it was told whole, and the number of the commit where it was told anything. */
  #answeredAt = "";
  #heard = 0;
  #wrong: Wrong | undefined;
  #judged = { revision: -1, isChanged: true };
  /** It was ended by a refusal, which rights must explain. */
  #refused: { readonly code: string; readonly at: string; readonly commit: number } | undefined;
  #resumes: boolean;

  constructor(parts: SubscriptionParts, name: string, question: Question, held: readonly Shown[] | undefined) {
    this.#parts = parts;
    this.#name = `${name} ${question.text}`;
    this.question = question;
    this.#rows = held ?? [];
    this.#resumes = held !== undefined;
    this.view = parts.world.view(question, parts.who);
  }

  answer(frame: Answer): void {
    const { world } = this.#parts;
    if (this.view.refusal) this.#fault(`was told a ${frame.t}, where it is refused: ${this.view.refusal}`);
    this.#explain(frame);
    if (frame.t === "value") this.#takeValue(frame.value, frame.at, frame.pos);
    else {
      if (frame.t === "snapshot") this.#rows = frame.rows;
      else if (!this.#resumes) this.#fault("was told current, and holds nothing");
      this.#more = frame.more;
      this.#short = frame.short ?? false;
    }
    this.state = "told";
    this.window = frame.w;
    this.#resumes = false;
    this.#stands = frame.pos;
    this.#deltas = 0;
    this.#answeredAt = world.order;
    this.#heard = world.commits;
    this.#wrong = undefined;
    this.#judged.isChanged = true;
    const text = this.#difference();
    if (text) this.#fault(`${frame.t}: ${text}`);
  }

  change(position: string, change: WindowChange<Shown>): void {
    this.#judged.isChanged = true;
    if ("value" in change) {
      this.#takeValue(change.value, change.at, position);
      return;
    }
    if (this.#wrong?.isMended) this.#demandTouched(this.#wrong);
    else if (this.#wrong)
      this.#fault(`went on at ${position} after it was wrong: ${this.#wrong.text}`, this.#wrong.since);
    this.#wrong = undefined;
    this.#heard = this.#parts.world.commits;
    this.#follow(position, change);
    const rows = applyDelta(this.#rows, change);
    const [more, short] = [change.more ?? this.#more, change.short ?? this.#short];
    const isSame = more === this.#more && short === this.#short && sameRows(rows, this.#rows);
    // What is said of the result right behind it may be known already, and what kept its version may have changed where it is hidden.
    const isKept = change.up?.some(([, { _id }]) => this.#parts.world.isKept(this.question.collection, _id));
    if (isSame && !isKept && !(this.#deltas === 1 && position === this.#stands))
      this.#fault("was told a change that changes nothing");
    this.#rows = rows;
    this.#more = more;
    this.#short = short;
    this.#stands = position;
  }

  /** Its socket has reached the position of the world. */
  reached(): void {
    if (this.state !== "told" || this.question.kind === "value") return;
    const { world } = this.#parts;
    const text = this.#difference();
    const wrong = this.#wrong;
    if (text) this.#wrong = { ...(wrong ?? { since: world.order, commit: world.commits, text }), isMended: false };
    else if (wrong && this.#isExplained(wrong)) this.#wrong = undefined;
    // What waited to be told gives way to the whole result where rights have changed by then, at a later position.
    else if (wrong) this.#wrong = { ...wrong, isMended: true };
  }

  end(): void {
    this.state = "gone";
    this.#parts.world.release(this.view);
  }

  /** An error has ended it. */
  refuse(code: string): void {
    const { order, commits } = this.#parts.world;
    this.#refused = { code, at: order, commit: commits };
    this.state = "gone";
  }

  /**
   * The socket is further now, or has ended: whether the refusal was right can be told, or will be a few commits later, since
   * who somebody is may be read before the commit is told that made them so.
   *
   * @param isLast nothing more will come
   * @returns whether it was told
   */
  judgeRefusal(isLast: boolean): boolean {
    if (!this.#refused) return true;
    const { code, at, commit } = this.#refused;
    const { refusal, refusedAt } = this.view;
    const isRight = refusal !== undefined || refusedAt >= at;
    if (!isRight && !isLast && this.#parts.world.commits < commit + MOST_AHEAD) return false;
    this.#refused = undefined;
    if (!isRight) this.#fault(`was refused, ${code}, and is allowed`, at);
    this.end();
    return true;
  }

  /** Its socket has gone, in the middle: what is wrong has to have been about to be mended. */
  breakOff(): (() => void) | undefined {
    const wrong = this.#wrong;
    if (this.state !== "gone") this.end();
    return wrong && (() => this.#demandTouched(wrong));
  }

  /** Nothing more will come. */
  finish(): void {
    if (this.state === "asked") this.#fault("was never answered");
    if (this.state !== "told") return;
    if (this.question.kind === "value") {
      const [told, expected] = [this.#value?.text, this.view.valueAt(this.#parts.world.order)];
      if (told !== expected) this.#fault(`ends with ${told} in place of ${expected}`);
      return;
    }
    const text = this.#difference();
    if (text) this.#fault(`ends wrong: ${text}`, this.#wrong?.since);
    else if (this.#wrong) this.#demandTouched(this.#wrong);
    if (this.#short) this.#fault("ends with a beginning of its result");
    if (this.#more !== this.view.rows.length > this.question.limit) this.#fault(`ends with more: ${this.#more}`);
  }

  /** Why it is told as it is. */
  #explain(frame: Answer): void {
    const { world, who, resets } = this.#parts;
    const reset = "reset" in frame ? frame.reset : undefined;
    if (this.state === "asked") {
      if (reset === "resume" && this.#resumes) return;
      if (reset !== undefined) this.#fault(`was told ${reset} with its first answer`);
      return;
    }
    const isExplained =
      (reset === "rights" && world.touched(who) > this.#answeredAt) ||
      (reset === "dropped" && world.dropped(this.question.collection) > this.#answeredAt) ||
      (reset !== undefined && resets.has(reset));
    if (!isExplained) this.#fault(`was told a ${frame.t} anew, reset ${reset}, for no reason`);
    else if (reset === "history") world.noteLoss();
  }

  #takeValue(value: unknown, at: string, position: string): void {
    const { world } = this.#parts;
    const order = world.orderOf(at);
    if (order === undefined || at > position) {
      this.#fault(`was told a value at ${at}, at ${position}`);
      return;
    }
    const [text, expected] = [stableText(value), this.view.valueAt(order)];
    // Rules hold from their commit on, a moment before that is told: what they make of an earlier state cannot be told here.
    const isJudgedAnew = world.touched(this.#parts.who) > order;
    if (text !== expected && !isJudgedAnew) this.#fault(`was told ${text} at ${at} in place of ${expected}`);
    if (this.#value && at < this.#value.at && order < (world.orderOf(this.#value.at) ?? "")) {
      this.#fault(`its value went back to ${at}`);
    }
    this.#value = { text, at };
  }

  /** Deltas of a window are a chain. */
  #follow(position: string, { prev }: Delta<Shown>): void {
    const isFirst = this.#deltas++ === 0;
    const follows = isFirst ? prev <= this.#stands : prev === this.#stands;
    if (!follows) this.#fault(`stood at ${this.#stands}, was told a change at ${position} of what stood at ${prev}`);
  }

  /** In what it differs from what it should be; undefined if in nothing. */
  #difference(): string | undefined {
    if (this.question.kind === "value") return undefined;
    const { view } = this;
    if (this.#judged.revision === view.revision && !this.#judged.isChanged && !this.#wrong) return undefined;
    const text = this.#compare();
    this.#judged = { revision: view.revision, isChanged: text !== undefined };
    return text;
  }

  #compare(): string | undefined {
    const { view, question } = this;
    if (view.refusal) return `is shown, where it is refused: ${view.refusal}`;
    const expected = view.rows;
    const count = Math.min(expected.length, question.limit);
    const rows = this.#rows;
    if (rows.length > count || (rows.length < count && !this.#short)) {
      return `${rows.length} rows in place of ${count}: ${idsOf(rows)} in place of ${idsOf(expected.slice(0, count).map(({ id, version }) => ({ _id: id, _v: version })))}`;
    }
    for (const [i, row] of rows.entries()) {
      const entry = expected[i];
      if (!entry) return `a row too many, ${row._id}`;
      if (row._id !== entry.id || row._v !== entry.version) {
        return `row ${i} is ${row._id} at ${row._v} in place of ${entry.id} at ${entry.version}`;
      }
      const right = view.shownOf(entry);
      if (!sameJson(row, right)) return `row ${i} shows ${stableText(row)} in place of ${stableText(right)}`;
    }
    if (!this.#more && expected.length > question.limit) return "it says that no rows follow";
    return undefined;
  }

  /** Between a change of rights, or a loss of history, and the result that is read anew nothing is told. */
  #demandTouched(wrong: Wrong): void {
    if (!this.#isExplained(wrong)) this.#fault(`missed a change: ${wrong.text}`, wrong.since);
  }

  /** Whether rights changed, or a drop or a loss happened, since it was told anything, and not long after what it was not told. */
  #isExplained({ commit }: Wrong): boolean {
    const { world, who } = this.#parts;
    return world.turned(who, this.question.collection, this.#heard, commit + MOST_WAITING);
  }

  #fault(text: string, at?: string): void {
    this.#parts.faults.add(this.#name, text, at);
  }
}

function sameRows(a: readonly Shown[], b: readonly Shown[]): boolean {
  return a.length === b.length && a.every((row, i) => row === b[i] || JSON.stringify(row) === JSON.stringify(b[i]));
}

function idsOf(rows: readonly Shown[]): string {
  return rows.map(({ _id, _v }) => `${_id}@${_v}`).join(" ");
}
