/** States of a live result of the SDK: each is the question's answer at its position, and differs by its changes alone. */
import type { Change } from "../../../sdk/types/live.ts";
import type { FaultList } from "./faults.ts";
import type { Question } from "./question.ts";
import { sameJson } from "./same-json.ts";
import { stableText } from "./stable-text.ts";
import type { Shown } from "./transcript.ts";
import type { View } from "./view.ts";
import type { Who, World } from "./world.ts";

/** What a callback was given, as JSON says it. */
export interface ToldState {
  readonly position: string | undefined;
  readonly synced: boolean;
  readonly rows: readonly Shown[] | undefined;
  readonly changes: readonly Pick<Change<readonly Shown[]>, "type" | "id" | "from" | "to">[];
  readonly error: string | undefined;
}

/** One result, from its start to its end. */
export interface SdkTranscript {
  readonly name: string;
  readonly who: Who;
  readonly question: Question;
  readonly events: ToldState[];
}

export interface SdkParts {
  readonly world: World;
  readonly faults: FaultList;
}

export class CheckedSdk {
  readonly #transcript: SdkTranscript;
  readonly #parts: SdkParts;
  readonly #view: View;
  #next = 0;
  #rows: readonly Shown[] = [];
  #last = "";

  constructor(transcript: SdkTranscript, parts: SdkParts) {
    this.#transcript = transcript;
    this.#parts = parts;
    this.#view = parts.world.view(transcript.question, transcript.who);
  }

  advance(before: string | undefined): void {
    const { events } = this.#transcript;
    for (; this.#next < events.length; this.#next++) {
      const event = events[this.#next] as ToldState;
      const order = event.position === undefined ? "" : (this.#parts.world.orderOf(event.position) ?? "~");
      if (before !== undefined && order >= before) break;
      this.#take(event, order);
    }
  }

  /** The last state is that of the end. */
  end(): void {
    const last = this.#transcript.events.at(-1);
    if (!last || last.error !== undefined) {
      if (!this.#view.refusal && this.#view.refusedAt === "") this.#fault(`ends with ${last?.error ?? "no state"}`);
    } else if (!last.synced) this.#fault("ends out of step");
    else this.#compare("ends wrong");
    this.#parts.world.release(this.#view);
  }

  #take({ synced, rows, changes, error }: ToldState, order: string): void {
    if (error !== undefined) return;
    if (order < this.#last) this.#fault(`went back from ${this.#last}`);
    this.#last = order;
    const folded = fold(this.#rows, changes, rows ?? []);
    if (folded !== idsOf(rows ?? [])) this.#fault(`its changes make ${folded} of it, in place of ${idsOf(rows ?? [])}`);
    this.#rows = rows ?? [];
    if (synced) this.#compare("shows");
  }

  #compare(what: string): void {
    const { question } = this.#transcript;
    const expected = this.#view.rows.slice(0, question.limit).map((entry) => this.#view.shownOf(entry));
    const told = this.#rows;
    const isRight = told.length === expected.length && expected.every((right, i) => sameJson(told[i] ?? {}, right));
    if (!isRight) this.#fault(`${what} ${stableText(told)} in place of ${stableText(expected)}`);
  }

  #fault(text: string): void {
    this.#parts.faults.add(`${this.#transcript.name} ${this.#transcript.question.text}`, text);
  }
}

/** Takes out what went or moved, and puts in what came by its place. */
function fold(rows: readonly Shown[], changes: ToldState["changes"], next: readonly Shown[]): string {
  const out = new Set(changes.map(({ id }) => id));
  const left: Shown[] = rows.filter(({ _id }) => !out.has(_id));
  for (const { type, to } of changes) {
    const document = next[to];
    if (type !== "removed" && document) left.splice(to, 0, document);
  }
  return idsOf(left);
}

function idsOf(rows: readonly Shown[]): string {
  return rows.map(({ _id, _v }) => `${_id}@${_v}`).join(" ");
}
