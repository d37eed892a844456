/** Mistakes that a server could make, planted into an honest transcript: the checker has to find each. */
import type { Random } from "../trap-pool.ts";
import type { Frame, Shown, Transcript, TranscriptEvent } from "./transcript.ts";

type Commit = Extract<Frame, { readonly t: "commit" }>;
type Snapshot = Extract<Frame, { readonly t: "snapshot" }>;
type Value = Extract<Frame, { readonly t: "value" }>;

/** Puts it in place of one event; undefined: not here. */
type Mistake = (events: readonly TranscriptEvent[], at: number) => readonly TranscriptEvent[] | undefined;

const told = (frame: Frame): TranscriptEvent => ({ kind: "frame", frame });

function frameAt(events: readonly TranscriptEvent[], at: number): Frame | undefined {
  const event = events[at];
  return event?.kind === "frame" ? event.frame : undefined;
}

/** Windows of results that the client shows when an event comes. */
function shownAt(events: readonly TranscriptEvent[], at: number): ReadonlySet<string> {
  const windows = new Map<number, string>();
  for (const event of events.slice(0, at)) {
    if (event.kind === "close") windows.clear();
    else if (event.kind === "unsub") windows.delete(event.s);
    else if (event.kind === "frame" && "s" in event.frame && event.frame.s !== undefined) {
      if ("w" in event.frame) windows.set(event.frame.s, event.frame.w);
      else windows.delete(event.frame.s);
    }
  }
  return new Set(windows.values());
}

/** Documents that come or go, and a frame behind it that shows that the socket went on. */
function commitAt(events: readonly TranscriptEvent[], at: number): Commit | undefined {
  const [frame, next] = [frameAt(events, at), frameAt(events, at + 1)];
  const isNews = (one: object) => "rm" in one || "up" in one;
  if (frame?.t !== "commit" || next?.t !== "commit" || next.pos === frame.pos) return undefined;
  const shown = shownAt(events, at);
  return Object.entries(frame.w).every(([window, change]) => shown.has(window) && isNews(change)) ? frame : undefined;
}

function snapshotAt(events: readonly TranscriptEvent[], at: number, rows: number): Snapshot | undefined {
  const frame = frameAt(events, at);
  return frame?.t === "snapshot" && frame.rows.length >= rows ? frame : undefined;
}

/** Whether a change follows of what an answer told. */
function goesOn(events: readonly TranscriptEvent[], { s, w }: Snapshot): boolean {
  for (const event of events) {
    if (event.kind === "close" || (event.kind === "unsub" && event.s === s)) return false;
    if (event.kind !== "frame") continue;
    if ("s" in event.frame && (event.frame.s === s || ("w" in event.frame && event.frame.w === w))) return false;
    if (event.frame.t === "commit" && w in event.frame.w) return true;
  }
  return false;
}

const ofCommit =
  (change: (frame: Commit, next: TranscriptEvent) => readonly TranscriptEvent[] | undefined): Mistake =>
  (events, at) => {
    const frame = commitAt(events, at);
    const made = frame && change(frame, events[at + 1] as TranscriptEvent);
    return made && [...events.slice(0, at), ...made, ...events.slice(at + 2)];
  };

const ofRows =
  (least: number, change: (rows: readonly Shown[]) => readonly Shown[]): Mistake =>
  (events, at) => {
    const frame = snapshotAt(events, at, least);
    return frame && events.with(at, told({ ...frame, rows: change(frame.rows) }));
  };

interface ToldValue {
  readonly count?: number;
  readonly values?: readonly unknown[];
  readonly groups?: readonly unknown[];
}

const ofValue =
  (change: (value: ToldValue) => object | undefined): Mistake =>
  (events, at) => {
    const frame = frameAt(events, at);
    const value = frame?.t === "value" ? change(frame.value as ToldValue) : undefined;
    return value ? events.with(at, told({ ...(frame as Value), value })) : undefined;
  };

export const MISTAKES: Readonly<Record<string, Mistake>> = {
  "a frame is dropped": ofCommit((_, next) => [next]),
  "a frame is repeated": ofCommit((frame, next) => [told(frame), told(frame), next]),
  "two frames are swapped": ofCommit((frame, next) => [next, told(frame)]),
  "a commit is torn": ofCommit((frame, next) => {
    const parts = Object.entries(frame.w);
    if (parts.length < 2) return undefined;
    const half = (some: typeof parts) => told({ ...frame, w: Object.fromEntries(some) });
    return [half(parts.slice(0, 1)), half(parts.slice(1)), next];
  }),
  "a delta is torn": ofCommit((frame, next) => {
    for (const [window, change] of Object.entries(frame.w)) {
      if ("value" in change || !change.rm || !change.up) continue;
      const { rm, up, ...rest } = change;
      const half = (w: object) => told({ ...frame, w: { [window]: w } } as Commit);
      return [half({ ...rest, rm }), half({ ...rest, prev: frame.pos, up }), next];
    }
    return undefined;
  }),
  "a position goes back": (events, at) => {
    const [before, frame] = [frameAt(events, at - 1), commitAt(events, at)];
    if (!frame || !before || !("pos" in before) || before.pos === frame.pos) return undefined;
    const [history, place] = before.pos.split(".");
    const earlier = (BigInt(`0x${place}`) - 1n).toString(16).padStart(16, "0");
    return events.with(at, told({ ...frame, pos: `${history}.${earlier}` }));
  },
  "a row too many": ofRows(0, (rows) => [...rows, { _id: "zz", _v: 1 }]),
  "a row too few": ofRows(1, (rows) => rows.slice(0, -1)),
  "rows in another order": ofRows(2, ([a, b, ...rest]) => [b as Shown, a as Shown, ...rest]),
  "an old version": ofRows(1, ([a, ...rest]) => [{ ...(a as Shown), _v: (a as Shown)._v - 1 }, ...rest]),
  "a hidden field": ofRows(1, ([a, ...rest]) => [{ ...(a as Shown), hidden: "x" } as Shown, ...rest]),
  "a document of another's": (events, at) => {
    const frame = commitAt(events, at);
    if (!frame) return undefined;
    const next = frameAt(events, at + 1) as Commit;
    for (const [window, change] of Object.entries(frame.w)) {
      // Where it is told anew at once, for a right that has gone, what is shown in between may be of the old one.
      if ("value" in change || !change.up || !(window in next.w)) continue;
      const up = [...change.up, [change.up.length + 1000, { _id: "zz", _v: 1 }] as const];
      return events.with(at, told({ ...frame, w: { ...frame.w, [window]: { ...change, up } } }));
    }
    return undefined;
  },
  "what is told anew is left out": (events, at) => {
    const frame = frameAt(events, at);
    const isAnew = frame?.t === "snapshot" && frame.reset === "rights" && goesOn(events.slice(at + 1), frame);
    return isAnew ? events.toSpliced(at, 1) : undefined;
  },
  "it is told anew for no reason": (events, at) => {
    const frame = snapshotAt(events, at, 0);
    return frame && events.toSpliced(at + 1, 0, told({ ...frame, reset: "audit" }));
  },
  "a wrong value": ofValue(({ count, values, groups }) => {
    if (count !== undefined) return { count: count + 1, more: false };
    if (values) return { values: [...values, "zz"], more: false };
    return groups?.length ? { groups: groups.slice(1), more: false } : undefined;
  }),
};

/** The transcript with a mistake somewhere; undefined if it has no place for it. */
export function plant(mistake: Mistake, { name, who, events }: Transcript, random: Random): Transcript | undefined {
  const places = Array.from({ length: events.length }, (_, at) => at);
  for (const at of random.some(places, places.length)) {
    const planted = mistake(events, at);
    if (planted) return { name, who, events: [...planted] };
  }
  return undefined;
}
