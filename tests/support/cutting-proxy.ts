import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** How far one connection may go: bytes of the request and of the answer; then it is reset on both sides. */
export interface Cut {
  readonly request?: number;
  readonly answer?: number;
}

/** A proxy that breaks connections at a chosen byte. */
export interface CuttingProxy {
  readonly url: string;
  /** What the next connection may carry. Later ones, and all others, are whole. */
  cutNext(cut: Cut): void;
  /** Bytes of request and answer that the last whole connection carried. */
  readonly carried: { readonly request: number; readonly answer: number };
  close(): Promise<void>;
}

export async function startCuttingProxy(target: string): Promise<CuttingProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let next: Cut | undefined;
  let carried = { request: 0, answer: 0 };

  const server = createServer((client) => {
    const cut = next ?? {};
    next = undefined;
    const upstream = connect(Number(port), hostname);
    const counted = { request: 0, answer: 0 };
    carried = counted;
    const end = () => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", end);
      socket.on("close", () => {
        sockets.delete(socket);
        end();
      });
    }
    const carry = (from: Socket, to: Socket, way: keyof Cut) => {
      const limit = cut[way] ?? Infinity;
      // A cut before the first byte of the answer still lets the whole request through.
      from.on("data", (chunk: Buffer) => {
        const allowed = chunk.subarray(0, Math.max(0, limit - counted[way]));
        counted[way] += chunk.length;
        if (counted[way] <= limit) to.write(allowed);
        else to.write(allowed, end);
      });
    };
    carry(client, upstream, "request");
    carry(upstream, client, "answer");
    if (cut.request === 0) end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cutNext(cut) {
      next = cut;
    },
    get carried() {
      return carried;
    },
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
