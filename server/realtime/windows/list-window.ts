import { resultHash } from "#protocol/delta";
import { compileFilter } from "#protocol/match";
import type { ObjectValue } from "#protocol/values";
import type { Change as DocumentChange, Position, Row } from "../../stores/document-store.ts";
import type { ListQuestion, WindowState } from "../contract.ts";
import type { LiveTail } from "../live-tail.ts";
import type { Matching, Watcher } from "../matching/matching.ts";
import { listMember, WindowChange } from "./change-frame.ts";
import { SharedWindow, type WindowSurroundings } from "./shared-window.ts";
import type { Texts } from "./texts.ts";
import { type Membership, WindowList } from "./window.ts";
import type { ListDelta } from "./window-delta.ts";
import type { Joined, Joins } from "./window-join.ts";
import { WindowReads } from "./window-reads.ts";
import { type ListChange, type ListRow, listRow } from "./window-row.ts";
import { type AtHand, WindowTexts } from "./window-texts.ts";

/** What the list windows of a node share. */
export interface ListSurroundings extends WindowSurroundings {
  readonly tail: Pick<LiveTail, "position" | "flushSoon">;
  readonly joins: Joins;
  readonly matching: Matching<ListWindow>;
  readonly texts: Texts;
  /** Milliseconds between refills of one window, and before a read that failed is tried again. */
  readonly refill: number;
  readonly retry: number;
}

/** A live list: its rows, who shows them, and what commits do to them. */
export class ListWindow extends SharedWindow implements Watcher {
  readonly question: ListQuestion;
  readonly list: WindowList;
  readonly #shared: ListSurroundings;
  readonly #test: (document: ObjectValue) => boolean;
  readonly #reads: WindowReads;
  readonly #texts: WindowTexts;
  /** Not even the first row can be shown: nothing is, until it is read again. */
  #blank = false;
  /** What viewers were told last, and where the last change stood. */
  #told = { more: false, short: false };
  #stood: Position;
  /** Just read: it is there for those who waited, even if there is no room to keep it. */
  #fresh: AtHand = new Map();
  #waiting: (() => void)[] = [];
  /** The whole result as it is: in a storm it is asked for many times in one turn. */
  #memo: WindowState | undefined;

  constructor(name: string, question: ListQuestion, shared: ListSurroundings) {
    super(name, shared);
    this.question = question;
    this.#shared = shared;
    this.#test = compileFilter(question.filter);
    this.list = new WindowList(question.sort, question.limit);
    this.#texts = new WindowTexts(name, question, shared.texts);
    this.#stood = shared.tail.position;
    this.#reads = new WindowReads({
      ...{ question, joins: shared.joins, capacity: this.list.capacity, spacing: shared.refill, retry: shared.retry },
      askers: () => this.askers,
      end: { done: (joined) => this.#guarded(() => this.#take(joined)), failed: (error) => this.fail(error) },
    });
  }

  get collection(): string {
    return this.question.collection;
  }

  get filter() {
    return this.question.filter;
  }

  get isShort(): boolean {
    return this.#blank || this.list.short;
  }

  get visible(): readonly ListRow[] {
    return this.#blank ? [] : this.list.visible;
  }

  snapshot(): WindowState | Promise<void> {
    if (this.#memo) return this.#memo;
    const rows: string[] = [];
    for (const row of this.visible) {
      const text = this.#texts.of(row, this.#fresh);
      if (text === undefined) return this.#readAgain();
      rows.push(text);
    }
    let hash: string | undefined;
    const hashed = (): string => {
      hash ??= resultHash(rows);
      return hash;
    };
    this.#memo = { kind: "list", rows, more: this.#more, short: this.isShort, hash: hashed };
    // It holds all texts, so it is for those of one turn.
    setImmediate(() => {
      this.#memo = undefined;
    });
    return this.#memo;
  }

  /** What one commit did to documents that may concern it. */
  apply(changes: readonly DocumentChange[], position: Position): void {
    this.#guarded(() => {
      if (!this.isLive || this.#blank) return;
      const rows = new Map<string, Row>();
      const { delta, ...membership } = this.list.apply(this.#judge(changes, rows));
      this.#shared.counters.matches += rows.size;
      this.#forget();
      this.#hold(membership);
      if (this.hasViewers) {
        // Those who have waited for a read find all of it, also what changed since.
        const atHand: AtHand = this.#fresh.size > 0 ? this.#fresh : new Map();
        for (const row of rows.values()) if (this.list.has(row.id)) this.#texts.keep(row, atHand);
        if (delta) this.#tell(delta, position, atHand);
      } else {
        // Who comes next is told this by the whole result.
        for (const row of rows.values()) this.#texts.renew(row);
        this.#fresh = new Map();
        this.#told = { more: this.#more, short: this.isShort };
      }
      if (!this.list.wantsRefill && !this.#blank) return;
      if (this.hasViewers) this.#reads.want("refill");
      else this.end();
    });
  }

  /** Whether another read of the same question, joined to the same place, says the same. */
  agrees({ rows, more, commits }: Joined): boolean {
    const other = new WindowList(this.list.sort, this.list.limit);
    const read = new Map(rows.map((row) => [row.id, row]));
    const since = commits.map((commit) => this.#judge(this.#changesOf(commit.changes), read));
    other.refill(
      rows.map((row) => listRow(other.sort, row)),
      more,
      since,
    );
    const shown = this.visible;
    const said = other.visible;
    if (shown.length !== said.length && !(this.isShort || other.short)) return false;
    const both = Math.min(shown.length, said.length);
    for (const [i, { id, version }] of said.slice(0, both).entries()) {
      if (shown[i]?.id !== id || shown[i]?.version !== version) return false;
      const row = read.get(id);
      if (row && !this.#texts.agree(row, this.#fresh)) return false;
    }
    const isWhole = !this.#blank && !this.list.wantsRefill && !other.wantsRefill;
    return !isWhole || this.list.more === other.more;
  }

  load(): void {
    this.#reads.want("load");
  }

  protected also(asker: string): void {
    this.#reads.also(asker);
  }

  protected clear(): void {
    this.#reads.stop();
    this.#forget();
    this.#hold(this.list.load([], false));
    this.#blank = false;
    this.#fresh = new Map();
    this.#release();
  }

  /** The result is another one now. */
  #forget(): void {
    this.#memo = undefined;
  }

  get #more(): boolean {
    return this.#blank || this.list.more;
  }

  /** A read has come: the first one, or what was lacking. */
  #take({ rows, more, commits }: Joined): void {
    const read = new Map(rows.map((row) => [row.id, row]));
    const since = commits.map((commit) => this.#judge(this.#changesOf(commit.changes), read));
    const { delta, ...membership } = this.list.refill(
      rows.map((row) => listRow(this.list.sort, row)),
      more,
      since,
    );
    this.#hold(membership);
    this.#forget();
    this.#blank = false;
    this.#fresh = new Map();
    for (const row of read.values()) if (this.list.has(row.id)) this.#texts.keep(row, this.#fresh);
    if (this.isLive) this.#tell(delta ?? NOTHING, this.#shared.tail.position, this.#fresh);
    else {
      this.#stood = this.#shared.tail.position;
      this.#told = { more: this.#more, short: this.isShort };
      this.becomeLive();
    }
    this.#shared.tail.flushSoon();
    this.#release();
    this.#forgetSoon(this.#fresh);
    if (this.list.wantsRefill) this.#reads.want("refill");
  }

  /** Those who asked have had their turn, and what they put off until the end of it. */
  #forgetSoon(fresh: AtHand): void {
    setImmediate(() =>
      setImmediate(() => {
        if (this.#fresh === fresh) this.#fresh = new Map();
      }),
    );
  }

  #tell(delta: ListDelta, position: Position, atHand: AtHand): void {
    const watched = this.viewers.watching > 0;
    const up: [number, string][] = [];
    let rm = delta.rm;
    for (const [i, [index, row]] of delta.up.entries()) {
      const text = watched ? this.#texts.of(row, atHand) : "";
      if (text === undefined) {
        // Never a part of a commit: what follows waits for the read as well.
        const later = delta.up.slice(i).map(([, { id }]) => id);
        rm = [...rm, ...later];
        this.#cut(index);
        break;
      }
      up.push([index, text]);
    }
    const told = { more: this.#more, short: this.isShort };
    const more = told.more === this.#told.more ? undefined : told.more;
    const short = told.short === this.#told.short ? undefined : told.short;
    if (rm.length === 0 && up.length === 0 && more === undefined && short === undefined) return;
    const prev = this.#stood;
    this.#told = told;
    this.#stood = position;
    if (!watched) return;
    this.#shared.counters.serialisations++;
    this.viewers.changed(new WindowChange(position, listMember(this.name, { prev, rm, up, more, short })));
  }

  /** Gives up all from this index on, to be read again. */
  #cut(index: number): void {
    this.#hold(this.list.load(this.list.visible.slice(0, index), true));
    this.#blank = index === 0;
    this.#forget();
  }

  #judge(changes: readonly DocumentChange[], rows: Map<string, Row>): ListChange[] {
    return changes.map(({ id, next }) => {
      if (!next || !this.#test(next.value)) {
        rows.delete(id);
        return { id, row: undefined };
      }
      rows.set(id, next);
      return { id, row: listRow(this.list.sort, next) };
    });
  }

  #changesOf(changes: readonly DocumentChange[]): readonly DocumentChange[] {
    return changes.filter(({ collection }) => collection === this.collection);
  }

  #hold({ entered, left }: Membership): void {
    const { matching } = this.#shared;
    for (const id of left) matching.release(this, id);
    for (const id of entered) matching.hold(this, id);
  }

  #readAgain(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#reads.want("refill");
    });
  }

  /** Those who wait ask again. */
  #release(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** What a document has no place in the order of is an answer too. */
  #guarded(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.fail(error);
    }
  }
}

const NOTHING: ListDelta = { rm: [], up: [] };
