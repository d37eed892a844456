/**
 * The writer's thread of the SQLite store, which ends by itself when a commit's text says so: before it applies the
 * commit, or when the commit is durable and its answer is not yet sent.
 */
import { isMainThread, workerData } from "node:worker_threads";
import type { WriterData } from "../../server/stores/sqlite/messages.ts";

let answering = true;
if (!isMainThread) {
  const { port } = workerData as WriterData;
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
