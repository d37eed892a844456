import type { Machine, OpenConnection } from "./live/parts.ts";
import type { Auth } from "./types/auth.ts";
import type { Live, LiveState } from "./types/live.ts";

/** Watches the question of a key; sdk.md 6. */
export interface Watch {
  /** @param linger milliseconds that the subscription outlives it, where those of everybody else are not meant */
  <R>(key: string, next?: (state: LiveState<R>) => void, linger?: number): Live<R>;
  /** Who asks; for hooks, which ask anew for somebody else. */
  readonly auth: Pick<Auth, "onChange" | "user">;
}

/** `db.connection`: there before what connects, which is loaded with the first live result and tells it how it is. */
export function createConnectionFace(): OpenConnection {
  const face: OpenConnection = {
    status: "off",
    listeners: new Set(),
    onChange(fn) {
      face.listeners.add(fn);
      return () => face.listeners.delete(fn);
    },
    pause: () => drive(true),
    resume: () => drive(false),
  };
  const drive = (paused: boolean): void => {
    face.paused = paused;
    face.drive?.();
  };
  return face;
}

/** Before the first answer. */
const NOTHING = {
  changes: [],
  more: false,
  synced: false,
  pending: false,
  fromCache: false,
} as unknown as LiveState<never>;

/** A live result at once, of a machine that may still be loading. */
export function watchBy<R>(machine: Promise<Machine>, ...asked: Parameters<typeof watch<R>>): Live<R> {
  let live: Live<R> | undefined;
  let state: LiveState<R> = NOTHING;
  const loading = machine.then(({ watch }) => {
    live = watch(...asked);
    return live;
  });
  const ready = loading.then(({ ready }) => ready);
  const opened = loading.catch((error) => {
    state = { ...NOTHING, error };
    asked[1]?.(state);
  });
  // Whoever does not ask for it hears of an error by the state.
  ready.catch(() => {});
  const close = (): void => {
    live?.close();
    // Nobody is told of what is still to be opened.
    asked[1] = undefined;
    opened.then(() => live?.close());
  };
  return {
    ready,
    get state() {
      return live?.state ?? state;
    },
    close,
    [Symbol.dispose]: close,
    async *[Symbol.asyncIterator]() {
      yield* await loading;
    },
  };
}
declare const watch: Watch;
