import type { DocumentStore, Position } from "../../stores/document-store.ts";
import type { ValueQuestion, Viewer, WindowState } from "../contract.ts";
import type { LiveTail } from "../live-tail.ts";
import { valueMember, WindowChange } from "./change-frame.ts";
import type { LoadSlots, Place } from "./load-slots.ts";
import { SharedWindow, type WindowSurroundings } from "./shared-window.ts";
import type { Values } from "./values.ts";
import { isPassing, retryAfter } from "./window-reads.ts";

/** What the value windows of a node share. */
export interface ValueSurroundings extends WindowSurroundings {
  readonly store: Pick<DocumentStore, "passed">;
  readonly tail: Pick<LiveTail, "position" | "flushSoon">;
  readonly slots: LoadSlots;
  readonly values: Values;
  /** Milliseconds before a computation that failed is tried again. */
  readonly retry: number;
}

/** A live value: it is computed again when its collection has changed, and says where it is exact. */
export class ValueWindow extends SharedWindow {
  readonly question: ValueQuestion;
  readonly #shared: ValueSurroundings;
  /** Where the tail stood when they came; who was there at a reset is shown whatever is computed after it. */
  readonly #joined = new Map<Viewer, Position>();
  #value: { readonly text: string; readonly position: Position } | undefined;
  /** Where its collection changed last, as far as it was told. */
  #touched: Position | undefined;
  #failures = 0;
  #retry: NodeJS.Timeout | undefined;
  /** Of its first computation. */
  #place: Place | undefined;

  constructor(name: string, question: ValueQuestion, shared: ValueSurroundings) {
    super(name, shared);
    this.question = question;
    this.#shared = shared;
  }

  get isStale(): boolean {
    const exact = this.#value?.position;
    return exact !== undefined && this.#touched !== undefined && this.#touched > exact;
  }

  override add(viewer: Viewer): void {
    this.#joined.set(viewer, this.#shared.tail.position);
    super.add(viewer);
  }

  override leave(viewer: Viewer): void {
    this.#joined.delete(viewer);
    super.leave(viewer);
  }

  snapshot(): WindowState {
    if (!this.#value) throw new Error("the value is not there yet");
    return { kind: "value", text: this.#value.text, position: this.#exactAt(this.#value.position) };
  }

  /**
   * Its collection has changed.
   *
   * @param before where the commit before stood: up to there it was exact. So whoever came since it was computed, maybe by
   *   new rights, is told that it is exact where these hold already
   */
  touch(position: Position, before: Position | undefined): void {
    const exact = this.#value;
    if (exact && before !== undefined && before > exact.position && !this.isStale) {
      this.#value = { ...exact, position: before };
    }
    this.#touched = position;
    if (!this.isLive) return;
    if (this.hasViewers) this.#shared.values.want(this);
    else this.end();
  }

  load(): void {
    const [asker = "", ...others] = this.askers;
    this.#place = this.#shared.slots.enter(() => this.compute(), asker);
    for (const other of others) this.#place.also(other);
  }

  /** Computes it at the tail's position. Settles, and never rejects. */
  async compute(): Promise<void> {
    const { resets } = this;
    const isOver = () => this.hasEnded || this.resets !== resets;
    try {
      const { store, tail } = this.#shared;
      const found = await this.question.read(tail.position);
      while (found.position > tail.position && !isOver()) await store.passed(found.position);
      if (!isOver()) this.#take(found);
    } catch (error) {
      if (!isOver()) this.#failed(error);
    }
  }

  protected also(asker: string): void {
    this.#place?.also(asker);
    this.#shared.values.also(this, asker);
  }

  protected clear(): void {
    this.#place?.leave();
    clearTimeout(this.#retry);
    this.#shared.values.forget(this);
    this.#joined.clear();
    this.#value = undefined;
    this.#touched = undefined;
    this.#failures = 0;
  }

  /** Who comes while it is stale is not shown less than what was committed before. */
  protected override mayShow(viewer: Viewer): boolean {
    const exact = this.#value?.position;
    const joined = this.#joined.get(viewer);
    return !this.isStale || joined === undefined || (exact !== undefined && exact >= joined);
  }

  #take(found: { readonly text: string; readonly position: Position }): void {
    const { values, tail } = this.#shared;
    const told = this.#value?.text;
    this.#failures = 0;
    this.#value = found;
    if (!this.isLive) this.becomeLive();
    else {
      this.tellReady();
      if (found.text !== told) this.#tell(found.text, this.#exactAt(found.position));
    }
    tail.flushSoon();
    if (this.isStale) values.want(this);
  }

  #tell(text: string, at: Position): void {
    if (this.viewers.watching === 0) return;
    this.#shared.counters.serialisations++;
    this.viewers.changed(new WindowChange(this.#shared.tail.position, valueMember(this.name, text, at)));
  }

  /** Nothing that it depends on has changed since. */
  #exactAt(position: Position): Position {
    return this.isStale ? position : this.#shared.tail.position;
  }

  #failed(error: unknown): void {
    this.#failures++;
    if (!isPassing(error, this.#failures)) {
      this.fail(error);
      return;
    }
    const again = () => (this.isLive ? this.#shared.values.want(this) : this.load());
    this.#retry = setTimeout(again, retryAfter(this.#shared.retry, this.#failures)).unref();
  }
}
