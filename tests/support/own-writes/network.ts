/** Sockets and requests of a client, between which a test decides what goes on its way, and when. */
import { CLOSE } from "#protocol/frames";
import { QUESTIONS, type Question, Stored } from "./stored.ts";

interface Frame {
  readonly t: string;
}

/** What a client's `WebSocket` is: the class that it is given makes these. */
export class FakeSocket {
  onopen: (() => void) | undefined;
  onmessage: ((event: { readonly data: string }) => void) | undefined;
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | undefined;
  onerror: (() => void) | undefined;
  readyState = 0;
  readonly #network: Network;

  constructor(network: Network) {
    this.#network = network;
    network.opening(this);
  }

  send(text: string): void {
    this.#network.heard(this, JSON.parse(text));
  }

  close(): void {
    this.readyState = 3;
  }
}

/** A request on its way. */
export interface Sent {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
  /** What the server has answered, once it has; the client does not know yet. */
  answer: Response | undefined;
  deliver(answer: Response): void;
  lose(): void;
}

interface Watched {
  readonly question: Question;
  readonly window: string;
  told: readonly { readonly _id: string; readonly _v: number }[];
  more: boolean;
  prev: string;
}

export class Network {
  readonly stored = new Stored();
  /** Frames under way to the client, in order. */
  readonly frames: string[] = [];
  readonly requests: Sent[] = [];
  socket: FakeSocket | undefined;
  /** Sockets that have said who they are. */
  greeted = 0;
  #watched = new Map<number, Watched>();
  #windows = 0;
  /** The socket has not said who it is. */
  #isMute = true;

  readonly fetch = ((url: string, { method, body }: { method: string; body?: string }) =>
    new Promise<Response>((resolve, reject) => {
      const path = new URL(url).pathname.replace("/v1/", "");
      this.requests.push({
        ...{ method, path, body: body === undefined ? undefined : JSON.parse(body), answer: undefined },
        deliver: resolve,
        lose: () => reject(new TypeError("cut")),
      });
    })) as unknown as typeof fetch;

  get WebSocket(): typeof WebSocket {
    const network = this;
    return class extends FakeSocket {
      constructor() {
        super(network);
      }
    } as unknown as typeof WebSocket;
  }

  opening(socket: FakeSocket): void {
    this.socket = socket;
    this.#isMute = true;
    this.frames.length = 0;
    this.#watched = new Map();
  }

  open(): void {
    const { socket } = this;
    if (socket?.readyState !== 0) return;
    socket.readyState = 1;
    socket.onopen?.();
  }

  drop(code = 1006): void {
    const { socket } = this;
    this.socket = undefined;
    this.frames.length = 0;
    this.#watched = new Map();
    socket?.onclose?.({ code, reason: "" });
  }

  heard(socket: FakeSocket, frame: Frame & { readonly s?: number; readonly q?: object }): void {
    if (socket !== this.socket) return;
    const { position } = this.stored;
    // As Galley does, for good: whatever else comes first.
    if (frame.t !== "hello" && this.#isMute) this.drop(CLOSE.policy);
    if (frame.t === "hello") {
      this.greeted++;
      this.#isMute = false;
      this.#tell({ t: "welcome", pos: position, user: null, beat: 25, now: "2026-01-01T00:00:00Z" });
    }
    if (frame.t === "ping") this.#tell({ t: "beat", pos: position });
    if (frame.t === "sub") this.#subscribe(frame.s as number, frame.q as object);
  }

  /** The client is told of the last commit, some time. */
  committed(): void {
    const { stored } = this;
    const w: Record<string, object> = {};
    for (const watched of this.#watched.values()) {
      const { rows, more } = stored.list(watched.question);
      const old = new Map(watched.told.map((row) => [row._id, row._v]));
      const ids = new Set(rows.map(({ _id }) => _id));
      const rm = watched.told.filter(({ _id }) => !ids.has(_id)).map(({ _id }) => _id);
      const up = rows.flatMap((row, i) => (old.get(row._id) === row._v ? [] : [[i, watched.question.shown(row)]]));
      const isMore = more !== watched.more;
      if (rm.length === 0 && up.length === 0 && !isMore) continue;
      w[watched.window] = {
        prev: watched.prev,
        ...(rm.length > 0 && { rm }),
        ...(up.length > 0 && { up }),
        ...(isMore && { more }),
      };
      watched.told = rows;
      watched.more = more;
      watched.prev = stored.position;
    }
    if (Object.keys(w).length > 0) this.#tell({ t: "commit", pos: stored.position, w });
  }

  deliverFrame(): void {
    const frame = this.frames.shift();
    if (frame !== undefined) this.socket?.onmessage?.({ data: frame });
  }

  /** The last word of a connection on how far it is. */
  beat(): void {
    this.#tell({ t: "beat", pos: this.stored.position });
  }

  #subscribe(s: number, q: object): void {
    const { find } = q as { readonly find: object };
    const question = QUESTIONS.find(({ filter, options }) => same({ filter, ...options }, find));
    if (!question) throw new Error(`nobody knows ${JSON.stringify(q)}`);
    const { rows, more } = this.stored.list(question);
    const { position } = this.stored;
    const window = `w${++this.#windows}`;
    this.#watched.set(s, { question, window, told: rows, more, prev: position });
    this.#tell({ t: "snapshot", s, w: window, pos: position, shape: "x", rows: rows.map(question.shown), more });
  }

  #tell(frame: Frame & Record<string, unknown>): void {
    if (this.socket) this.frames.push(JSON.stringify(frame));
  }
}

function same(a: object, b: object): boolean {
  const text = (value: object) => JSON.stringify(Object.entries(value).sort(([x], [y]) => (x < y ? -1 : 1)));
  return text(a) === text(b);
}
