import { connect, type Socket } from "node:net";

/** What came back on a connection before it ended. */
export interface RawAnswer {
  /** Of each reply, in order. */
  readonly statuses: number[];
  readonly text: string;
}

/** Opens a connection to a test app. The caller ends it. */
export function openSocket(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) }, () => resolve(socket));
    socket.once("error", reject);
  });
}

/** Sends bytes as they are and reads until the server closes, so let them say `connection: close`. */
export async function sendRaw(url: string, bytes: string | Buffer): Promise<RawAnswer> {
  const socket = await openSocket(url);
  socket.write(bytes);
  return readToEnd(socket);
}

/** Reads what comes until the other side closes or resets. */
export function readToEnd(socket: Socket): Promise<RawAnswer> {
  const chunks: Buffer[] = [];
  return new Promise((resolve) => {
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("error", () => {});
    socket.on("close", () => {
      const text = Buffer.concat(chunks).toString("utf8");
      const statuses = [...text.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map((match) => Number(match[1]));
      resolve({ statuses, text });
    });
  });
}

/** A request's text: head and body, with `connection: close`. */
export function requestText(method: string, path: string, headers: readonly string[] = [], body = ""): string {
  return [`${method} ${path} HTTP/1.1`, "host: localhost", "connection: close", ...headers, "", body].join("\r\n");
}
