/** A TCP proxy in the test's process that refuses, cuts, swallows or delays (fault-cases.md PROXY). */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** Whose connections a fault is for: all, or those whose first message is a MongoDB handshake with this `appName`. */
export interface Whose {
  readonly app?: string;
}

/** What happens to bytes of one way. */
export interface Way {
  /** They are read and lost, after the first `pass` of each connection from now on (0 if left out). */
  readonly swallow?: true;
  readonly pass?: number;
  /** Each chunk waits that long, in order. */
  readonly delayMs?: number;
}

export interface Fault extends Whose {
  readonly request?: Way;
  readonly answer?: Way;
}

/** How far one connection may go: bytes of the request and of the answer; then it is reset on both sides. */
export interface Cut {
  readonly request?: number;
  readonly answer?: number;
}

export interface TcpProxy {
  /** `127.0.0.1:port`. */
  readonly host: string;
  /** The same, as an address of HTTP. */
  readonly url: string;
  /** Resets what is open. */
  cut(whose?: Whose): void;
  /** What the next connection may carry. Later ones, and all others, are whole. */
  cutNext(cut: Cut): void;
  /** Refuses new connections; those that are open go on. */
  refuse(): Promise<void>;
  /** Loses or delays bytes from now on, of connections open and new; replaces an earlier fault. */
  harm(fault: Fault): void;
  /** Lets everything through again. A connection that lost bytes is reset: its stream has a hole. */
  heal(): Promise<void>;
  /** Bytes of request and answer that the last connection carried. */
  readonly carried: { readonly request: number; readonly answer: number };
  close(): Promise<void>;
}

type Direction = keyof Cut;

/** @param target `host:port`, or an address of HTTP */
export async function startTcpProxy(target: string): Promise<TcpProxy> {
  const upstream = new URL(target.includes("://") ? target : `tcp://${target}`);
  const links = new Set<Link>();
  let next: Cut | undefined;
  let fault: Fault = {};
  let last: Link | undefined;
  const server = createServer((client) => {
    const link = new Link(client, connect(Number(upstream.port), upstream.hostname), next, () => fault);
    next = undefined;
    last = link;
    links.add(link);
    link.onEnd = () => links.delete(link);
    link.start();
  });
  await listen(server, 0);
  const { port } = server.address() as AddressInfo;
  const cut = (which: (link: Link) => boolean) => {
    for (const link of [...links]) if (which(link)) link.end();
  };
  return {
    host: `127.0.0.1:${port}`,
    url: `http://127.0.0.1:${port}`,
    cut: (whose = {}) => cut((link) => link.isOf(whose)),
    cutNext: (wanted) => {
      next = wanted;
    },
    async refuse() {
      if (server.listening) await closed(server);
    },
    harm(wanted) {
      fault = wanted;
      for (const link of links) link.restartCounts();
    },
    async heal() {
      fault = {};
      cut((link) => link.lost);
      if (!server.listening) await listen(server, port);
    },
    get carried() {
      return last?.carried ?? { request: 0, answer: 0 };
    },
    async close() {
      const end = server.listening ? once(server, "close") : undefined;
      server.close();
      cut(() => true);
      await end;
    },
  };
}

async function listen(server: Server, port: number): Promise<void> {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
}

/** Stops listening without waiting for the connections to end. */
function closed(server: Server): Promise<void> {
  server.close();
  return new Promise((resolve) => setImmediate(resolve));
}

/** One connection: a socket on each side. */
class Link {
  readonly carried = { request: 0, answer: 0 };
  lost = false;
  onEnd: () => void = () => {};
  readonly #client: Socket;
  readonly #upstream: Socket;
  readonly #cut: Cut;
  readonly #fault: () => Fault;
  /** Bytes since the last fault was set. */
  #counts = { request: 0, answer: 0 };
  #hello: Buffer | undefined;
  readonly #queues = { request: Promise.resolve(), answer: Promise.resolve() };

  constructor(client: Socket, upstream: Socket, cut: Cut = {}, fault: () => Fault) {
    this.#client = client;
    this.#upstream = upstream;
    this.#cut = cut;
    this.#fault = fault;
  }

  start(): void {
    for (const socket of [this.#client, this.#upstream]) {
      socket.setNoDelay(true);
      socket.on("error", () => this.end());
      socket.on("close", () => this.end());
    }
    this.#client.on("data", (chunk: Buffer) => {
      this.#hello ??= chunk;
      this.#carry("request", chunk, this.#upstream);
    });
    this.#upstream.on("data", (chunk: Buffer) => this.#carry("answer", chunk, this.#client));
    if (this.#cut.request === 0) this.end();
  }

  end(): void {
    reset(this.#client);
    reset(this.#upstream);
    this.onEnd();
  }

  restartCounts(): void {
    this.#counts = { request: 0, answer: 0 };
  }

  isOf({ app }: Whose): boolean {
    return app === undefined || this.#hello?.includes(handshakeName(app)) === true;
  }

  #carry(direction: Direction, chunk: Buffer, to: Socket): void {
    const limit = this.#cut[direction] ?? Number.POSITIVE_INFINITY;
    const before = this.carried[direction];
    this.carried[direction] += chunk.length;
    // A cut before the first byte of the answer still lets the whole request through.
    if (this.carried[direction] > limit) {
      to.write(chunk.subarray(0, Math.max(0, limit - before)), () => this.end());
      return;
    }
    const fault = this.#fault();
    const way = this.isOf(fault) ? fault[direction] : undefined;
    let rest = chunk;
    if (way?.swallow) {
      rest = chunk.subarray(0, Math.max(0, (way.pass ?? 0) - this.#counts[direction]));
      if (rest.length < chunk.length) this.lost = true;
    }
    this.#counts[direction] += chunk.length;
    if (rest.length > 0) this.#pass(direction, rest, to, way?.delayMs ?? 0);
  }

  /** In order, also when a delay ends while delayed bytes are under way. */
  #pass(direction: Direction, bytes: Buffer, to: Socket, delayMs: number): void {
    const due = delayMs === 0 ? undefined : new Promise((resolve) => setTimeout(resolve, delayMs));
    this.#queues[direction] = this.#queues[direction].then(async () => {
      await due;
      if (!to.destroyed) to.write(bytes);
    });
  }
}

/**
 * Not of a socket that is shutting down: Node 20 then never closes its handle, and spins for ever when the process ends
 * (uv_tcp_close_reset refuses it, and Environment::CleanupHandles waits).
 */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

/** `client.application.name` as BSON: type 2, the key, a length, the text. */
function handshakeName(app: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32LE(Buffer.byteLength(app) + 1);
  return Buffer.concat([Buffer.from("\u0002name\0"), length, Buffer.from(`${app}\0`)]);
}
