import type { ApiError } from "../error.ts";
import type { FrameError, ServerFrame, WindowChange } from "../protocol/frames.ts";
import type { LiveState } from "../types/live.ts";
import { createIdentity } from "./identity.ts";
import { createJoins } from "./join.ts";
import { createOpenResults } from "./open-results.ts";
import type { Optimistic } from "./optimistic.ts";
import { loadOptimistic } from "./own-loader.ts";
import type { LiveParts, Machine } from "./parts.ts";
import { watchedOf } from "./question.ts";
import { errorOf, isLater, Result } from "./result.ts";
import { createConnection } from "./socket.ts";
import { createTeller, type Taker, type Told } from "./teller.ts";

/** Milliseconds that a subscription, and the socket, outlive the last who watched. */
const LINGER = 5000;
/** Subscriptions that the server holds for a socket. */
const MOST = 200;
/** Milliseconds, about, until a subscription that the server could not serve at the moment is asked for again. */
const AGAIN = 3000;

type Frame = ServerFrame<never>;

interface Entry extends Told {
  readonly result: Result;
  readonly takers: Set<Taker>;
  s: number;
  /** Until it goes, once nobody watches. */
  linger: ReturnType<typeof setTimeout> | undefined;
  /** Until it is asked again, where the server could not answer. */
  again: ReturnType<typeof setTimeout> | undefined;
}

/** Keeps the questions that are watched answered, over one socket; sdk.md 6. */
export function createMachine(parts: LiveParts): Machine {
  const { ApiError, connection: face } = parts;
  const { claim, seen, send } = parts.http;
  const entries = new Map<string, Entry>();
  const teller = createTeller();
  let numbers = new Map<number, Entry>();
  let windows = new Map<string, Set<Entry>>();
  let lastNumber = 0;
  /** Whether the server knows who we are, on this connection. */
  let welcome = false;
  /** How far this connection is. */
  let reached: string | undefined;
  /** Frames that wait for the answer of an own write, and all behind them. */
  let heldBack: Frame[] = [];
  let own: Optimistic | undefined;
  let ahead = 0;
  let idle: ReturnType<typeof setTimeout> | undefined;

  const connection = createConnection({
    ...{ url: parts.url, WebSocket: parts.WebSocket, ApiError, decode: parts.decode },
    onFrame(frame) {
      if (heldBack.length > 0 || own?.holdsBack(frame)) heldBack.push(frame);
      else take(frame);
    },
    after: () => seen.position,
    token: (refused) => identity.token(refused),
    settled: () => loaded().then(() => own?.settled()),
    onStatus(status) {
      if (status === face.status) return;
      face.status = status;
      for (const fn of face.listeners) queueMicrotask(fn);
    },
    onLost() {
      welcome = false;
      reached = undefined;
      heldBack = [];
      forget();
    },
    onEnded(error) {
      for (const entry of entries.values()) end(entry, error);
    },
  });

  const identity = createIdentity({
    ...{ claim, auth: parts.auth, ApiError, send: connection.send, isWelcome: () => welcome },
    changed() {
      // What is asked from here on would be asked as the one who has gone.
      welcome = false;
      // First, so that what waited of the last user's goes to nobody.
      forget();
      for (const entry of entries.values()) entry.result.empty();
      own?.clear();
      // Before anything is drawn of whoever is there now.
      teller.flush();
    },
  });

  const loaded = loadOptimistic(
    parts,
    {
      *of(collection) {
        for (const { result } of entries.values()) if (result.watched.collection === collection) yield result;
      },
      ofSubscription: (s) => numbers.get(s)?.result,
      *ofWindow(name) {
        for (const { result } of windows.get(name) ?? []) yield result;
      },
      isAny: () => entries.size > 0,
      reached: () => reached,
      changed(collections) {
        for (const entry of entries.values()) {
          if (collections.has(entry.result.watched.collection)) teller.mark(entry);
        }
      },
      released() {
        for (let next = heldBack[0]; next && !own?.holdsBack(next); next = heldBack[0]) {
          heldBack.shift();
          take(next);
        }
      },
      ask: () => connection.send('{"t":"ping"}'),
      ahead: () => ahead,
    },
    (optimistic) => {
      own = optimistic;
    },
  );

  face.drive = () => {
    if (face.paused) connection.close();
    else if (entries.size > 0) connection.open();
  };
  face.close = () => {
    results.close();
    identity.close();
    own?.clear();
    parts.own.begin = undefined;
    for (const { linger, again } of entries.values()) {
      clearTimeout(linger);
      clearTimeout(again);
    }
    clearTimeout(idle);
    connection.close();
    // Whoever leaves later leaves nothing that would linger.
    entries.clear();
  };

  function take(frame: Frame): void {
    if ("pos" in frame) {
      reached = frame.pos;
      // Also of another history: what was seen of an older one means nothing any more.
      if (isLater(frame.pos, seen.position)) seen.position = frame.pos;
    }
    switch (frame.t) {
      case "welcome":
        ahead = Date.parse(frame.now) - Date.now();
        welcome = identity.welcome(frame);
        if (!welcome) break;
        // After the same person's new token they go on; else there are none.
        for (const entry of entries.values()) if (!numbers.has(entry.s)) subscribe(entry);
        break;
      case "snapshot":
      case "value":
      case "current": {
        const entry = numbers.get(frame.s);
        if (!entry) return;
        if (entry.result.window) windows.get(entry.result.window)?.delete(entry);
        entry.result.answer(frame);
        windows.set(frame.w, (windows.get(frame.w) ?? new Set()).add(entry));
        teller.mark(entry);
        break;
      }
      case "commit":
        for (const name in frame.w) {
          for (const entry of windows.get(name) ?? []) {
            if (entry.result.change(frame.pos, frame.w[name] as WindowChange<never>)) teller.mark(entry);
            else restart(entry);
          }
        }
        break;
      case "error":
        if (frame.s !== undefined) refuse(frame.s, frame.error);
        break;
    }
    if ("pos" in frame) own?.moved();
  }

  function refuse(s: number, fault: FrameError): void {
    const entry = numbers.get(s);
    if (!entry) return;
    const error = errorOf(fault, ApiError);
    release(entry);
    if (error.retryable) {
      teller.mark(entry);
      const least = Math.max(AGAIN / 2, Number(error.details.retryAfter ?? 0) * 1000);
      entry.again = setTimeout(() => welcome && subscribe(entry), least + AGAIN * Math.random());
    } else end(entry, error);
  }

  function subscribe(entry: Entry): void {
    clearTimeout(entry.again);
    if (entry.result.ended) return;
    const { have, watched } = entry.result;
    entry.s = ++lastNumber;
    numbers.set(entry.s, entry);
    const more = { ...(seen.position && { after: seen.position }), ...(have && { have }) };
    const text = JSON.stringify({ t: "sub", s: entry.s, ...more });
    connection.send(`${text.slice(0, -1)},"q":${watched.query}}`);
  }

  /** A change was missed. */
  function restart(entry: Entry): void {
    connection.send(JSON.stringify({ t: "unsub", s: entry.s }));
    release(entry);
    teller.mark(entry);
    subscribe(entry);
  }

  function release({ result, s }: Entry): void {
    numbers.delete(s);
    if (result.window) windows.get(result.window)?.delete(entries.get(result.watched.key) as Entry);
    result.window = undefined;
  }

  function forget(): void {
    numbers = new Map();
    windows = new Map();
    identity.lost();
    for (const entry of entries.values()) {
      entry.result.window = undefined;
      teller.mark(entry);
    }
  }

  function end(entry: Entry, error: ApiError): void {
    entry.result.end(error);
    // Whoever asks the same later asks anew.
    entries.delete(entry.result.watched.key);
    teller.mark(entry);
    rest();
  }

  function leave(entry: Entry, linger: number): void {
    if (entries.get(entry.result.watched.key) !== entry) return;
    clearTimeout(entry.linger);
    entry.linger = setTimeout(() => {
      drop(entry);
      own?.moved();
      if (entries.size === 0) connection.close();
    }, linger);
  }

  /** Nobody watches it. */
  function drop(entry: Entry): void {
    clearTimeout(entry.linger);
    clearTimeout(entry.again);
    entries.delete(entry.result.watched.key);
    if (numbers.get(entry.s) !== entry) return;
    connection.send(JSON.stringify({ t: "unsub", s: entry.s }));
    numbers.delete(entry.s);
    windows.get(entry.result.window ?? "")?.delete(entry);
  }

  /** All have ended, and somebody may be about to ask something else. */
  function rest(): void {
    clearTimeout(idle);
    if (entries.size === 0) idle = setTimeout(() => entries.size === 0 && connection.close(), LINGER);
  }

  function enter(key: string): Entry {
    const known = entries.get(key);
    if (known) return known;
    // Those that only linger make room.
    if (entries.size >= MOST) for (const one of entries.values()) if (one.takers.size === 0) drop(one);
    const result = new Result(watchedOf(key), parts.encodeObject);
    const next = (): LiveState<unknown> | undefined => result.state(welcome, own?.view(result));
    const entry: Entry = { result, takers: new Set(), next, s: 0, linger: undefined, again: undefined };
    entries.set(key, entry);
    if (welcome) subscribe(entry);
    return entry;
  }

  /** Tells somebody the states of a question, at once what is known. @returns what ends it */
  function open(key: string, taker: Taker, linger = LINGER): () => void {
    const entry = enter(key);
    clearTimeout(entry.linger);
    entry.takers.add(taker);
    const { told } = entry.result;
    if (told) taker.hold(told);
    if (!face.paused) connection.open();
    return () => {
      if (entry.takers.delete(taker) && entry.takers.size === 0) leave(entry, linger);
    };
  }

  const results = createOpenResults(open, createJoins({ open, send, wake: teller.wake }), ApiError);
  return results;
}
