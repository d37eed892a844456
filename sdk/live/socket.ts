import type { ApiError, ErrorCode } from "../error.ts";
import { CLOSE, type ServerFrame } from "../protocol/frames.ts";

/** Milliseconds. */
const TIMES = {
  /** Of the first wait before another try, which doubles up to the most. */
  wait: 500,
  mostWait: 30_000,
  /** Of health, after which the waits begin anew. */
  health: 30_000,
  /** Without a frame: the connection is lost, whatever the network says. */
  silence: 60_000,
  /** For a frame to come where the device may have slept, or lost its network. */
  wake: 3000,
  /** To try again when the network or the page is back. */
  soon: 1000,
  /** At least, where the server asks for it. */
  busy: 5000,
};

/** Closes after which another try is useless. */
const FINAL: ReadonlySet<number> = new Set([
  ...[CLOSE.protocol, CLOSE.notText, CLOSE.notUtf8, CLOSE.policy, CLOSE.tooLarge],
  CLOSE.forbidden,
]);
/** `WebSocket.OPEN`, which not every platform's class has. */
const OPEN = 1;
/** What may have changed whether frames come. A device that says that it is offline may still reach a server of its own. */
const WAKING = ["online", "offline", "visibilitychange", "pageshow"];

export interface SocketOptions {
  /** Of the server, as in `https://api.example.com`. */
  readonly url: string;
  readonly WebSocket: typeof WebSocket;
  /** The token to begin with; undefined for nobody. `refused`: the last one was. */
  readonly token: (refused: boolean) => Promise<string | undefined>;
  /** Resolves when it is known of each write whether it was stored: what the server tells from then on holds it or does not. */
  readonly settled: () => Promise<unknown>;
  /** The highest position that the client has seen. */
  readonly after: () => string | undefined;
  readonly decode: (text: string) => unknown;
  readonly onFrame: (frame: ServerFrame<never>) => void;
  readonly ApiError: typeof ApiError;
  /** Frames come no more, until `welcome` comes again. */
  readonly onLost: () => void;
  /** It is not tried again by itself. */
  readonly onEnded: (error: ApiError) => void;
  readonly onStatus: (status: "off" | "connecting" | "open" | "waiting") => void;
}

/** The one connection of a client: kept open, with full jitter between tries (sdk.md 6.3). */
export interface LiveConnection {
  /** Lost before `welcome`: the server takes nothing before `hello`, and who needs it sent says it again then. */
  send(frame: string): void;
  open(): void;
  /** Until it is opened again. */
  close(): void;
}

/**
 *   off -> connecting -> open        hello sent, welcome came
 *   connecting, open -> waiting      lost, or closed by the server
 *   waiting -> connecting            its time has come, or the network is back
 *   any -> off                       closed here, or for good by the server
 */
export function createConnection(options: SocketOptions): LiveConnection {
  const { onStatus } = options;
  const address = `${options.url.replace(/^http/, "ws")}/v1/live`;
  let socket: WebSocket | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let silence: ReturnType<typeof setTimeout> | undefined;
  /** When a frame has to have come, and when that is looked at: not later. */
  let due = 0;
  let looksAt = Infinity;
  let tries = 0;
  /** When `welcome` came; 0: it has not. */
  let openedAt = 0;
  let retry: number | undefined;
  /** Closes in a row that say that our position is ahead of the server. */
  let ahead = 0;
  let refused = false;
  let wanted = false;

  async function connect(): Promise<void> {
    clearTimeout(timer);
    onStatus("connecting");
    openedAt = 0;
    let mine: WebSocket;
    try {
      mine = new options.WebSocket(address, "galley.v1");
    } catch (cause) {
      // An address that is none, or that a page of https may not ask: no other try will do.
      end("failed_precondition", `no socket can be opened to ${address}`, cause);
      return;
    }
    socket = mine;
    listen(TIMES.silence);
    // Asked for at once, beside the handshake.
    const token = options.token(refused).then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    );
    mine.onopen = async () => {
      const got = await token;
      await options.settled();
      if (socket !== mine) return;
      if ("error" in got)
        return lost(options.ApiError.is(got.error, "unauthenticated") ? CLOSE.unauthenticated : 0, "");
      const after = ahead > 1 ? undefined : options.after();
      const hello = { t: "hello", v: 1, ...(got.value && { token: got.value }), ...(after && { after }) };
      mine.send(JSON.stringify(hello));
    };
    mine.onmessage = ({ data }) => {
      if (socket !== mine) return;
      listen(TIMES.silence);
      const frame = options.decode(data as string) as ServerFrame<never>;
      if (frame.t === "welcome") {
        openedAt = Date.now();
        ahead = 0;
        refused = false;
        onStatus("open");
      }
      if (frame.t === "bye") retry = frame.retry;
      options.onFrame(frame);
    };
    mine.onclose = ({ code, reason }) => socket === mine && lost(code, reason);
    mine.onerror = () => {};
  }

  function lost(code: number, reason: string): void {
    drop();
    options.onLost();
    if (!wanted) {
      onStatus("off");
      return;
    }
    if (FINAL.has(code)) {
      const meaning = code === CLOSE.forbidden ? "permission_denied" : "failed_precondition";
      end(meaning, reason || `the server closed the socket (${code})`);
      return;
    }
    if (openedAt && Date.now() - openedAt > TIMES.health) tries = 0;
    // Once by itself: a token may have been outdated by a moment.
    const again = code === CLOSE.unauthenticated && !refused;
    refused = code === CLOSE.unauthenticated;
    ahead = code === CLOSE.ahead ? ahead + 1 : 0;
    const jitter = Math.random() * Math.min(TIMES.mostWait, TIMES.wait * 2 ** tries++);
    const busy = code === CLOSE.overloaded || code === CLOSE.tooMany;
    wait(again ? 0 : (retry ?? (busy ? TIMES.busy + jitter : jitter)));
    retry = undefined;
  }

  /** Not to be tried again. */
  function end(code: ErrorCode, message: string, cause?: unknown): void {
    wanted = false;
    onStatus("off");
    options.onEnded(new options.ApiError(code, message, { cause }));
  }

  function wait(milliseconds: number): void {
    onStatus("waiting");
    clearTimeout(timer);
    timer = setTimeout(connect, milliseconds);
  }

  function drop(): void {
    const gone = socket;
    socket = undefined;
    clearTimeout(timer);
    clearTimeout(silence);
    looksAt = Infinity;
    gone?.close(CLOSE.normal);
  }

  /** A frame has to come in that time. */
  function listen(milliseconds: number): void {
    due = performance.now() + milliseconds;
    // A timer anew with each frame would cost more than what is done with most frames.
    if (looksAt > due) look(milliseconds);
  }

  function look(milliseconds: number): void {
    clearTimeout(silence);
    looksAt = performance.now() + milliseconds;
    silence = setTimeout(() => {
      const left = due - performance.now();
      if (left > 0) look(left);
      else lost(0, "");
    }, milliseconds);
  }

  function wake(): void {
    if (!wanted || globalThis.document?.visibilityState === "hidden") return;
    if (!socket) wait(Math.random() * TIMES.soon);
    else if (openedAt) {
      socket.send('{"t":"ping"}');
      listen(TIMES.wake);
    }
  }

  return {
    send(frame) {
      if (openedAt && socket?.readyState === OPEN) socket.send(frame);
    },
    open() {
      if (wanted) return;
      wanted = true;
      tries = 0;
      for (const type of WAKING) globalThis.addEventListener?.(type, wake);
      void connect();
    },
    close() {
      wanted = false;
      for (const type of WAKING) globalThis.removeEventListener?.(type, wake);
      drop();
      options.onLost();
      onStatus("off");
    },
  };
}
