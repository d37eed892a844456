import { MessageChannel, receiveMessageOnPort, Worker } from "node:worker_threads";
import { stampOf } from "./activity.ts";
import type { WriterOptions, WriterReply, WriterRequest } from "./messages.ts";
import { writerSource } from "./worker-source.ts";

/** A writer's thread that runs. While nothing is under way it does not keep the process alive. */
export interface Thread {
  send(request: WriterRequest): void;
  /**
   * Takes the reply that has come, if one has. It would come by itself, but only when the event loop has been round: under
   * load that takes longer than the commit.
   */
  poll(): void;
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
  const { port1: port, port2 } = new MessageChannel();
  const workerData = { file: options.file, activity: options.activity, port: port2 };
  const worker = new Worker(source, { ...how, workerData, transferList: [port2] });
  return new Promise((resolve, reject) => {
    let started = false;
    let ended = false;
    let fault: unknown;
    /** The number of changes when the last request was sent. */
    let sentAt: number | undefined;
    const take = (reply: WriterReply) => {
      worker.unref();
      if (reply.kind !== "started") return receive(reply);
      started = true;
      resolve({ thread, sequence: reply.sequence, highest: reply.highest });
    };
    const poll = () => {
      // It is not there before the number of changes has moved, and to look at that costs next to nothing.
      const stamp = stampOf(options.activity);
      if (stamp === undefined || stamp === sentAt) return;
      const received = receiveMessageOnPort(port);
      if (received) take(received.message as WriterReply);
    };
    port.on("message", take);
    // What keeps the process alive is the thread, while something is under way.
    port.unref();
    worker.on("error", (error) => {
      fault = error;
    });
    worker.on("exit", (code) => {
      if (ended) return;
      // What it answered before it ended holds.
      const answered = receiveMessageOnPort(port);
      if (answered) take(answered.message as WriterReply);
      fault ??= new Error(`the writer's thread ended with code ${code}`);
      if (started) lost(fault);
      else reject(fault);
    });
    const thread: Thread = {
      send: (request) => {
        worker.ref();
        sentAt = stampOf(options.activity);
        port.postMessage(request);
      },
      poll,
      end: async () => {
        ended = true;
        await worker.terminate();
      },
    };
  });
}
