import type { Operation } from "../operations.ts";
import type { OwnWrite } from "../own-writes.ts";
import { versionOf } from "../protocol/delta.ts";
import type { ServerFrame } from "../protocol/frames.ts";
import { Evaluator } from "./evaluator.ts";
import { Overlay, type Passed, type Row, type Write } from "./overlay.ts";
import type { Watched } from "./question.ts";
import type { Result } from "./result.ts";
import { byId, type Source, type Viewed, viewOf } from "./view.ts";

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
export interface Optimistic {
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

export function createOptimistic(results: Results): Optimistic {
  const overlay = new Overlay();
  const timers = new Map<Write, ReturnType<typeof setTimeout>>();
  const evaluators = new WeakMap<Watched, Evaluator | typeof NONE>();
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
    results.changed(write.collections);
    if (!isAnyOnItsWay()) for (const resolve of settling.splice(0)) resolve();
    results.released();
  }

  function doubt(write: Write): void {
    overlay.doubt(write);
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
    results.changed(write.collections);
    return {
      sent() {
        if (write.state !== "waiting" || !overlay.writes.has(write)) return;
        write.state = "sent";
        later(write, PATIENCE, () => doubt(write));
      },
      answered(answers, position) {
        if (!overlay.writes.has(write)) return;
        overlay.answer(write, operations, answers, (...of) => newestOf(...of)?.row);
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
    if (overlay.isEmpty) return;
    const known = new Map<string, readonly Passed[]>();
    const passedIn = (collection: string): readonly Passed[] => {
      const all = known.get(collection) ?? Array.from(results.of(collection), passedBy);
      known.set(collection, all);
      return all;
    };
    for (const write of overlay.writes) {
      if (write.state !== "answered") continue;
      const { collections, position } = write;
      if (![...collections].every((name) => passedIn(name).every((passed) => passed(position)))) continue;
      end(write);
      results.changed(collections);
    }
  }

  /** A result that is in step stands where the connection does; another one where it was told last. */
  function standing(result: Result): string | undefined {
    return result.window === undefined ? result.position : results.reached();
  }

  function passedBy(result: Result): Passed {
    const at = standing(result);
    const history = at?.slice(0, at.lastIndexOf(".") + 1) ?? "";
    return (position) => {
      if (position === undefined || result.ended) return true;
      if (at === undefined) return false;
      // In another history everything that was answered is stored already.
      return position.startsWith(history) ? at >= position : result.window !== undefined;
    };
  }

  /** What results hold of a document as a whole. */
  function newestOf(collection: string, id: string, except?: Result): Source | undefined {
    let newest: { readonly row: Row; readonly result: Result } | undefined;
    for (const result of results.of(collection)) {
      if (result === except || result.watched.shape.select !== undefined) continue;
      const row = result.rows && byId(result.rows as readonly Row[]).get(id);
      if (row && !(newest && versionOf(newest.row._v) >= versionOf(row._v))) newest = { row, result };
    }
    if (!newest) return undefined;
    const { row, result } = newest;
    const isAhead = except !== undefined && `${standing(result)}` > `${standing(except)}`;
    return { row, passed: passedBy(result), isAhead };
  }

  function evaluatorOf(watched: Watched): Evaluator | undefined {
    const evaluator = evaluators.get(watched) ?? Evaluator.of(watched) ?? NONE;
    evaluators.set(watched, evaluator);
    return evaluator === NONE ? undefined : (evaluator as Evaluator);
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
      if (overlay.isEmpty) return { rows: rows as readonly Row[], more, pending: false, isGuess };
      const evaluator = evaluatorOf(watched);
      if (!evaluator) return undefined;
      const { collection } = watched;
      const base = { collection, rows: rows as readonly Row[], more, evaluator, passed: passedBy(result) };
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

/** Of what no own write can show in. */
const NONE = Symbol("no evaluator");
