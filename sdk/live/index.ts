import type { ApiError } from "../error.ts";
import type { Grant } from "../http.ts";
import type { FrameError, ServerFrame } from "../protocol/frames.ts";
import type { Live, LiveState } from "../types/live.ts";
import { LiveResult } from "./live-result.ts";
import type { LiveParts, Machine } from "./parts.ts";
import { watchedOf } from "./question.ts";
import { errorOf, isLater, Result } from "./result.ts";
import { createConnection } from "./socket.ts";

/** Before the first answer. */
const NOTHING: LiveState<never> = {
  data: undefined,
  changes: [],
  synced: false,
  pending: false,
  fromCache: false,
  error: undefined,
  position: undefined,
};
/** Milliseconds that a subscription, and the socket, outlive the last who watched. */
const LINGER = 5000;
/** Milliseconds, about, until a subscription that the server could not serve at the moment is asked for again. */
const AGAIN = 3000;

type Next = (state: LiveState<unknown>) => void;

interface Entry {
  readonly result: Result;
  readonly takers: Set<LiveResult<unknown>>;
  s: number;
  /** Until it goes, once nobody watches. */
  linger: ReturnType<typeof setTimeout> | undefined;
  /** Until it is asked again, where the server could not answer. */
  again: ReturnType<typeof setTimeout> | undefined;
}

/** Keeps the questions that are watched answered, over one socket; sdk.md 6. */
export function createMachine(parts: LiveParts): Machine {
  const { ApiError, connection: face } = parts;
  const { claim, seen } = parts.http;
  const entries = new Map<string, Entry>();
  let numbers = new Map<number, Entry>();
  let windows = new Map<string, Set<Entry>>();
  const dirty = new Set<Entry>();
  let lastNumber = 0;
  /** Whether the server knows who we are, on this connection. */
  let welcome = false;
  let renewal: ReturnType<typeof setTimeout> | undefined;
  let idle: ReturnType<typeof setTimeout> | undefined;
  let grant = claim();
  let token: string | undefined;

  const connection = createConnection({
    ...{ url: parts.url, WebSocket: parts.WebSocket, ApiError, decode: parts.decode, onFrame },
    after: () => seen.position,
    token: (refused) => currentToken(refused),
    onStatus(status) {
      if (status === face.status) return;
      face.status = status;
      for (const fn of face.listeners) queueMicrotask(fn);
    },
    onLost() {
      welcome = false;
      forget();
    },
    onEnded(error) {
      for (const entry of entries.values()) end(entry, error);
    },
  });

  face.drive = () => {
    if (face.paused) connection.close();
    else if (entries.size > 0) connection.open();
  };
  face.close = () => {
    stop();
    for (const { linger, again } of entries.values()) {
      clearTimeout(linger);
      clearTimeout(again);
    }
    clearTimeout(renewal);
    clearTimeout(idle);
    connection.close();
  };

  const stop = parts.auth.onChange((_user, why) => {
    if (why === "changed") return;
    grant = claim();
    forget();
    for (const entry of entries.values()) {
      entry.result.empty();
      mark(entry);
    }
    if (welcome) void introduce();
  });

  async function currentToken(refused: boolean): Promise<string | undefined> {
    // A grant speaks for one user; who is signed in by now is told by a new one.
    grant = claim();
    token = await grant(refused ? outdated() : undefined);
    return token;
  }

  /** Has a newer token fetched than the one that the server knows. */
  function outdated(): Parameters<Grant>[0] {
    const error = new ApiError("unauthenticated", "the token was refused", { details: { reason: "token_invalid" } });
    return token ? { token, error } : undefined;
  }

  /** Before the token ends by the server's clock, whatever this device's says. Whoever fails goes on with the old one. */
  async function renew(): Promise<void> {
    const mine = grant;
    const next = await mine(outdated()).catch(() => undefined);
    if (mine !== grant || !welcome) return;
    if (next) connection.send(JSON.stringify({ t: "auth", token: next }));
    else renewal = setTimeout(renew, AGAIN * (0.5 + Math.random()));
    token = next ?? token;
  }

  /** Tells who is there now. */
  async function introduce(): Promise<void> {
    const mine = grant;
    const next = await mine().catch(() => undefined);
    if (mine !== grant) return;
    token = next;
    connection.send(JSON.stringify({ t: "auth", token: next ?? null }));
  }

  function onFrame(frame: ServerFrame<never>): void {
    // Also of another history: what was seen of an older one means nothing any more.
    if ("pos" in frame && isLater(frame.pos, seen.position)) seen.position = frame.pos;
    switch (frame.t) {
      case "welcome":
        welcome = true;
        clearTimeout(renewal);
        if (frame.expires) {
          renewal = setTimeout(renew, (Date.parse(frame.expires) - Date.parse(frame.now)) * 0.8);
        }
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
        mark(entry);
        break;
      }
      case "commit":
        for (const [name, change] of Object.entries(frame.w)) {
          for (const entry of windows.get(name) ?? []) {
            if (entry.result.change(frame.pos, change)) mark(entry);
            else restart(entry);
          }
        }
        break;
      case "error":
        if (frame.s !== undefined) refuse(frame.s, frame.error);
        break;
    }
  }

  function refuse(s: number, fault: FrameError): void {
    const entry = numbers.get(s);
    if (!entry) return;
    const error = errorOf(fault, ApiError);
    release(entry);
    if (error.retryable) {
      mark(entry);
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
    mark(entry);
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
    clearTimeout(renewal);
    for (const entry of entries.values()) {
      entry.result.window = undefined;
      mark(entry);
    }
  }

  function end(entry: Entry, error: ApiError): void {
    entry.result.end(error);
    // Whoever asks the same later asks anew.
    entries.delete(entry.result.watched.key);
    mark(entry);
    rest();
  }

  /** All hold the new position before any callback runs, and each runs once. */
  function mark(entry: Entry): void {
    if (dirty.size === 0) queueMicrotask(flush);
    dirty.add(entry);
  }

  function flush(): void {
    const changed = new Set<LiveResult<unknown>>();
    for (const { result, takers } of dirty) {
      const state = result.state(welcome);
      if (!state) continue;
      for (const live of takers) {
        live.hold(state);
        changed.add(live);
      }
    }
    dirty.clear();
    for (const live of changed) live.tell();
  }

  function leave(entry: Entry): void {
    if (entries.get(entry.result.watched.key) !== entry) return;
    clearTimeout(entry.linger);
    entry.linger = setTimeout(() => {
      clearTimeout(entry.again);
      entries.delete(entry.result.watched.key);
      if (numbers.get(entry.s) === entry) {
        connection.send(JSON.stringify({ t: "unsub", s: entry.s }));
        numbers.delete(entry.s);
        windows.get(entry.result.window ?? "")?.delete(entry);
      }
      if (entries.size === 0) connection.close();
    }, LINGER);
  }

  /** All have ended, and somebody may be about to ask something else. */
  function rest(): void {
    clearTimeout(idle);
    if (entries.size === 0) idle = setTimeout(() => entries.size === 0 && connection.close(), LINGER);
  }

  function enter(key: string): Entry {
    const known = entries.get(key);
    if (known) return known;
    const result = new Result(watchedOf(key));
    const entry: Entry = { result, takers: new Set(), s: 0, linger: undefined, again: undefined };
    entries.set(key, entry);
    if (welcome) subscribe(entry);
    return entry;
  }

  return {
    watch<R>(key: string, next?: (state: LiveState<R>) => void): Live<R> {
      const entry = enter(key);
      clearTimeout(entry.linger);
      const live: LiveResult<unknown> = new LiveResult<unknown>(NOTHING, next as Next, () => {
        if (entry.takers.delete(live) && entry.takers.size === 0) leave(entry);
      });
      entry.takers.add(live);
      // What is known already, unless something newer is told first.
      queueMicrotask(() => {
        const { told } = entry.result;
        if (!told || live.state !== NOTHING) return;
        live.hold(told);
        live.tell();
      });
      if (!face.paused) connection.open();
      return live as Live<unknown> as Live<R>;
    },
  };
}
