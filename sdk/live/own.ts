import type { Operation } from "../operations.ts";
import type { OwnWrite } from "../own-writes.ts";
import { versionOf } from "../protocol/delta.ts";
import type { ServerFrame } from "../protocol/frames.ts";
import { Judge } from "./judge.ts";
import { Overlay, type Passed, type Row, type Write } from "./overlay.ts";
import type { Watched } from "./question.ts";
import { type Result, sameHistory } from "./result.ts";
import { type Viewed, viewOf } from "./view.ts";

/** Milliseconds that news wait for the answer of a write which they may hold. */
const PATIENCE = 5000;
/** Milliseconds that a new connection waits for what is on its way: the server waits for its hello no longer than 5 s. */
const GREETING = 4000;
/** Milliseconds after an answer, until the server is asked how far the results are. */
const ASK = 100;

/** What the results of a client tell of themselves. */
export interface Results {
  /** Those of a collection. */
  of(collection: string): Iterable<Result>;
  ofSubscription(s: number): Result | undefined;
  ofWindow(name: string): Iterable<Result>;
  isAny(): boolean;
  /** Where those stand that are in step with the connection. */
  reached(): string | undefined;
  /** They may show something else now. */
  changed(collections: ReadonlySet<string>): void;
  /** What waited may go on. */
  released(): void;
  ask(): void;
  /** Milliseconds that the server's clock is ahead. */
  ahead(): number;
}

/** Own writes, as they wait, and as results show them. */
export interface Own {
  begin(operations: readonly Operation[]): OwnWrite | undefined;
  /** Whether a frame must wait, and all behind it. */
  holdsBack(frame: ServerFrame<Row>): boolean;
  /** Results stand further on. */
  moved(): void;
  view(result: Result): (Viewed & { readonly isGuess: (row: Row) => boolean }) | undefined;
  /** No write is on its way of which a new snapshot would not tell whether it has it. */
  settled(): Promise<unknown>;
  /** Somebody else is there. */
  clear(): void;
}

export function createOwn(results: Results): Own {
  const overlay = new Overlay();
  const timers = new Map<Write, ReturnType<typeof setTimeout>>();
  const judges = new WeakMap<Watched, Judge | { none: true }>();
  const settling: (() => void)[] = [];

  const isGuess = (row: Row): boolean => overlay.isGuess(row);

  function later(write: Write, milliseconds: number, run: () => void): void {
    clearTimeout(timers.get(write));
    timers.set(write, setTimeout(run, milliseconds));
  }

  function end(write: Write): void {
    clearTimeout(timers.get(write));
    timers.delete(write);
    overlay.remove(write);
  }

  /** A write has left the state in which others wait for it. */
  function changed(write: Write): void {
    results.changed(Overlay.collectionsOf(write));
    if (!isAnyOnItsWay()) for (const resolve of settling.splice(0)) resolve();
    results.released();
  }

  function doubt(write: Write): void {
    write.isInDoubt = true;
    changed(write);
  }

  function isAnyOnItsWay(): boolean {
    for (const { state, isInDoubt } of overlay.writes) if (state === "sent" && !isInDoubt) return true;
    return false;
  }

  function begin(operations: readonly Operation[]): OwnWrite | undefined {
    // Results that are opened later are asked for after what was answered till then.
    if (!results.isAny()) return undefined;
    const write = overlay.begin(operations, new Date(Date.now() + results.ahead()));
    results.changed(Overlay.collectionsOf(write));
    return {
      sent() {
        if (write.state !== "waiting" || !overlay.writes.has(write)) return;
        write.state = "sent";
        later(write, PATIENCE, () => doubt(write));
      },
      answered(answers, position) {
        if (!overlay.writes.has(write)) return;
        overlay.answer(write, operations, answers, newestOf);
        write.position = position;
        later(write, ASK, results.ask);
        changed(write);
        moved();
      },
      refused() {
        if (!overlay.writes.has(write)) return;
        end(write);
        changed(write);
      },
    };
  }

  /** Writes go that all results have passed. */
  function moved(): void {
    for (const write of overlay.writes) {
      if (write.state !== "answered") continue;
      const collections = Overlay.collectionsOf(write);
      let passed = true;
      for (const collection of collections) {
        for (const result of results.of(collection)) passed &&= passedBy(result)(write.position);
      }
      if (!passed) continue;
      end(write);
      results.changed(collections);
    }
  }

  /** A result that is in step stands where the connection does; another one where it was told last. */
  function passedBy(result: Result): Passed {
    const inStep = result.window !== undefined;
    const at = inStep ? results.reached() : result.position;
    return (position) => {
      if (position === undefined || result.ended) return true;
      if (at === undefined) return false;
      // In another history everything that was answered is stored already.
      return sameHistory(at, position) ? at >= position : inStep;
    };
  }

  /** What results hold of a document as a whole. */
  function newestOf(collection: string, id: string, except?: Result): Row | undefined {
    let newest: Row | undefined;
    for (const result of results.of(collection)) {
      if (result === except || result.watched.shape.select !== undefined) continue;
      const row = (result.rows as readonly Row[] | undefined)?.find(({ _id }) => _id === id);
      if (row && !(newest && versionOf(newest._v) >= versionOf(row._v))) newest = row;
    }
    return newest;
  }

  function judgeOf(watched: Watched): Judge | undefined {
    const judge = judges.get(watched) ?? Judge.of(watched) ?? NONE;
    judges.set(watched, judge);
    return "none" in judge ? undefined : judge;
  }

  return {
    begin,
    moved,
    holdsBack(frame) {
      if (overlay.isEmpty) return false;
      if (frame.t === "snapshot") {
        const collection = results.ofSubscription(frame.s)?.watched.collection;
        return frame.rows.some(({ _id }) => overlay.holdsBack(collection ?? "", _id));
      }
      if (frame.t !== "commit") return false;
      for (const [name, change] of Object.entries(frame.w)) {
        if ("value" in change) continue;
        const ids = [...(change.rm ?? []), ...(change.up ?? []).map(([, { _id }]) => _id)];
        for (const { watched } of results.ofWindow(name)) {
          if (ids.some((id) => overlay.holdsBack(watched.collection, id))) return true;
        }
      }
      return false;
    },
    view(result) {
      const { watched, more, rows } = result;
      if (!rows) return undefined;
      if (overlay.isEmpty) return { rows: rows as readonly Row[], pending: false, isGuess };
      const judge = judgeOf(watched);
      if (!judge) return undefined;
      const { collection } = watched;
      const base = { collection, rows: rows as readonly Row[], more, judge, passed: passedBy(result) };
      return { ...viewOf(base, overlay, (id) => newestOf(collection, id, result)), isGuess };
    },
    async settled() {
      if (!isAnyOnItsWay()) return;
      const timer = setTimeout(() => {
        for (const write of overlay.writes) if (write.state === "sent") doubt(write);
      }, GREETING);
      await new Promise<void>((resolve) => settling.push(resolve));
      clearTimeout(timer);
    },
    clear() {
      for (const write of [...overlay.writes]) end(write);
      for (const resolve of settling.splice(0)) resolve();
      results.released();
    },
  };
}

const NONE = { none: true } as const;
