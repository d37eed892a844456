/**
 * The writer's thread of the SQLite store, which ends by itself when a commit's text says so: before it applies the
 * commit, or when the commit is durable and its answer is not yet sent.
 */
import { parentPort } from "node:worker_threads";

let answering = true;
const port = parentPort;
if (port) {
  const send = port.postMessage.bind(port);
  port.postMessage = (reply) => {
    if (answering) send(reply);
    else process.exit(7);
  };
  port.on("message", (request) => {
    const text = JSON.stringify(request);
    if (text.includes("crash before")) process.exit(7);
    if (text.includes("crash after")) answering = false;
  });
}

await import("../../server/stores/sqlite/writer-thread.ts");
