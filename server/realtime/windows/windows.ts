import { GalleyError } from "#protocol/errors";
import type { Log } from "../../log.ts";
import type { Change, Commit, DocumentStore, Position } from "../../stores/document-store.ts";
import type { BoundQuestion, Viewer, Windows } from "../contract.ts";
import type { LiveTail } from "../live-tail.ts";
import { createMatching } from "../matching/matching.ts";
import { ListWindow } from "./list-window.ts";
import { LoadSlots } from "./load-slots.ts";
import { ResidualShares } from "./residual-shares.ts";
import type { SharedWindow } from "./shared-window.ts";
import { Texts } from "./texts.ts";
import { ValueWindow } from "./value-window.ts";
import { Values } from "./values.ts";
import { createAudit } from "./window-audit.ts";
import { createCounters, type WindowCounters } from "./window-counters.ts";
import { createJoins } from "./window-join.ts";
import { WINDOW_LIMITS, type WindowLimits } from "./window-limits.ts";

/** Bytes of a window's name: it is a name of this node's, and nobody may guess it from others. */
const NAME_BYTES = 9;
/** Milliseconds that commits may be late before nobody new is taken on. */
const MOST_LAG = 3000;

export interface WindowsOptions {
  readonly store: Pick<DocumentStore, "find" | "passed" | "nodes">;
  /** Windows follow it as its step `windows`. */
  readonly tail: LiveTail;
  readonly log: Log;
  readonly random: (bytes: number) => Uint8Array;
  readonly limits?: Partial<WindowLimits>;
}

export interface LiveWindows extends Windows {
  readonly counters: Pick<WindowCounters, "numbers">;
  /** Loads windows again and compares: one at random, or all that are live. Resolves to how many differed, and were reset. */
  audit(all?: boolean): Promise<number>;
  close(): void;
}

/** What watches one collection. */
interface Watched {
  readonly lists: Set<ListWindow>;
  readonly values: Set<ValueWindow>;
}

const NOBODY: Watched = { lists: new Set(), values: new Set() };

/** The windows of a node: one a question, whoever asks, kept true by what each commit says. */
export function createWindows(options: WindowsOptions): LiveWindows {
  const { store, tail, log, random } = options;
  const limits = { ...WINDOW_LIMITS, ...options.limits };
  const slots = new LoadSlots(limits.loads);
  const firstValues = new LoadSlots(limits.firstValues);
  const joins = createJoins({ store, tail, slots, keptCommits: limits.keptCommits });
  const matching = createMatching<ListWindow>(limits.residual);
  const shares = new ResidualShares<ListWindow>(limits.residualEach);
  const texts = new Texts(limits.texts);
  const values = new Values({ spacing: limits.value, interval: limits.values });
  const windows = new Map<string, SharedWindow>();
  const watched = new Map<string, Watched>();
  const audit = createAudit({ joins, log, live: liveLists, random, interval: limits.audit });
  const parts = { texts, joins, slots, values, matching, audit, windows: () => windows.values() };
  const counters = createCounters(parts);
  /** Where the last commit stood. */
  let before: Position | undefined;
  const surroundings = { log, linger: limits.linger, left, ended, counters };
  const lists = { ...surroundings, tail, joins, matching, texts, refill: limits.refill, retry: limits.retry };
  const computed = { ...surroundings, store, tail, slots: firstValues, values, retry: limits.retry };

  tail.follow("windows", { commit, lost: resetAll });

  function open(question: BoundQuestion): SharedWindow {
    const name = Buffer.from(random(NAME_BYTES)).toString("base64url");
    const { collection } = question;
    const beside = watched.get(collection) ?? { lists: new Set(), values: new Set() };
    let window: SharedWindow;
    if (question.kind === "list") {
      const list = new ListWindow(name, question, lists);
      register(list);
      beside.lists.add(list);
      window = list;
    } else {
      const value = new ValueWindow(name, question, computed);
      beside.values.add(value);
      window = value;
    }
    watched.set(collection, beside);
    windows.set(keyOf(question), window);
    return window;
  }

  function register(list: ListWindow): void {
    try {
      if (placed(list)) shares.add(list);
    } catch (error) {
      throw error instanceof GalleyError ? list.question.told(error) : error;
    }
  }

  /** One that only lingers makes room. @returns whether no value can find it. @throws GalleyError `index_required` */
  function placed(list: ListWindow): boolean {
    try {
      return matching.add(list);
    } catch (error) {
      const { spare } = shares;
      if (!spare) throw error;
      spare.end();
      return matching.add(list);
    }
  }

  function left(window: SharedWindow, { asker }: Viewer): void {
    if (window instanceof ListWindow) shares.leave(window, asker);
  }

  function ended(window: SharedWindow): void {
    const { collection } = window.question;
    const beside = watched.get(collection);
    if (window instanceof ListWindow) {
      matching.remove(window, []);
      shares.delete(window);
      beside?.lists.delete(window);
    } else if (window instanceof ValueWindow) beside?.values.delete(window);
    if (beside?.lists.size === 0 && beside.values.size === 0) watched.delete(collection);
    windows.delete(keyOf(window.question));
  }

  function commit(commit: Commit): void {
    joins.commit(commit);
    for (const collection of commit.dropped ?? []) resetOf(collection);
    const lists = new Map<ListWindow, Change[]>();
    const touched = new Set<Watched>();
    for (const change of commit.changes) {
      const { collection, id } = change;
      const beside = watched.get(collection);
      if (!beside) continue;
      if (beside.values.size > 0) touched.add(beside);
      if (beside.lists.size === 0) continue;
      for (const list of matching.touched(collection, id, change.next?.value)) {
        counters.candidates++;
        const changes = lists.get(list);
        if (changes) changes.push(change);
        else lists.set(list, [change]);
      }
    }
    for (const { values } of touched) for (const value of values) value.touch(commit.position, before);
    before = commit.position;
    for (const [list, changes] of lists) list.apply(changes, commit.position);
  }

  function resetAll(): void {
    before = undefined;
    texts.clear();
    for (const window of [...windows.values()]) window.reset("history");
  }

  function resetOf(collection: string): void {
    const { lists, values } = watched.get(collection) ?? NOBODY;
    for (const window of [...lists, ...values]) window.reset("dropped");
  }

  function* liveLists(): Generator<ListWindow> {
    for (const window of windows.values()) if (window instanceof ListWindow && window.isLive) yield window;
  }

  return {
    join(question, viewer) {
      if (!store.nodes.inTouch || store.nodes.lag >= MOST_LAG) {
        throw new GalleyError("unavailable", "this node is behind what is committed: try again");
      }
      const known = windows.get(keyOf(question));
      const window = known ?? open(question);
      try {
        if (window instanceof ListWindow) shares.enter(window, viewer.asker);
      } catch (error) {
        if (!known) window.end();
        throw error;
      }
      window.add(viewer);
      // Read for whoever shows it.
      if (!known) window.load();
      return window;
    },
    counters,
    audit: audit.run,
    close() {
      audit.close();
      for (const window of [...windows.values()]) window.end();
      values.close();
    },
  };
}

function keyOf({ kind, identity }: BoundQuestion): string {
  return `${kind} ${identity}`;
}
