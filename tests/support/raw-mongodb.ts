/** Commands that the driver would not send, because no program should: their bytes are given by the test. */
import { once } from "node:events";
import { connect } from "node:net";
import { BSON, type Document } from "mongodb";

const OP_MSG = 2013;
const HEADER = 16;

/**
 * Sends a command to the first host of a URL, for the database that it names, and awaits its reply.
 *
 * @param change may change the bytes of the command in place
 * @throws Error if the server refuses it
 */
export async function sendRaw(url: string, command: Document, change: (bytes: Buffer) => void): Promise<void> {
  const [, host = "", port = "", $db] = /^mongodb:\/\/([^:/]+):(\d+)[^/]*\/([^?]+)/.exec(url) ?? [];
  const body = Buffer.from(BSON.serialize({ ...command, $db }));
  change(body);
  const message = Buffer.alloc(HEADER + 5);
  message.writeInt32LE(message.length + body.length, 0);
  message.writeInt32LE(OP_MSG, 12);
  const socket = connect({ host, port: Number(port) });
  try {
    socket.write(Buffer.concat([message, body]));
    let reply: Buffer = Buffer.alloc(0);
    while (reply.length < HEADER || reply.length < reply.readInt32LE(0)) {
      const [chunk] = (await once(socket, "data")) as [Buffer];
      reply = Buffer.concat([reply, chunk]);
    }
    const answer = BSON.deserialize(reply.subarray(HEADER + 5));
    if (answer.ok !== 1 || answer.writeErrors) throw new Error(`mongod refuses: ${JSON.stringify(answer)}`);
  } finally {
    socket.destroy();
  }
}
