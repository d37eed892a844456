import { Worker } from "node:worker_threads";
import type { WriterOptions, WriterReply, WriterRequest } from "./messages.ts";
import { writerSource } from "./worker-source.ts";

/** A writer's thread that runs. While nothing is under way it does not keep the process alive. */
export interface Thread {
  send(request: WriterRequest): void;
  end(): Promise<void>;
}

/**
 * Starts a thread and waits until it has opened the file.
 *
 * @param receive gets the reply to each request
 * @param lost is called if the thread ends by itself after it had started
 */
export function startThread(
  options: WriterOptions,
  receive: (reply: WriterReply) => void,
  lost: (cause: unknown) => void,
): Promise<{ thread: Thread; sequence: number; highest: number }> {
  const { source, ...how } = writerSource(options.thread);
  const worker = new Worker(source, { ...how, workerData: { file: options.file, activity: options.activity } });
  return new Promise((resolve, reject) => {
    let started = false;
    let ended = false;
    let fault: unknown;
    worker.on("message", (reply: WriterReply) => {
      worker.unref();
      if (reply.kind !== "started") return receive(reply);
      started = true;
      resolve({ thread, sequence: reply.sequence, highest: reply.highest });
    });
    worker.on("error", (error) => {
      fault = error;
    });
    worker.on("exit", (code) => {
      if (ended) return;
      fault ??= new Error(`the writer's thread ended with code ${code}`);
      if (started) lost(fault);
      else reject(fault);
    });
    const thread: Thread = {
      send: (request) => {
        worker.ref();
        worker.postMessage(request);
      },
      end: async () => {
        ended = true;
        await worker.terminate();
      },
    };
  });
}
