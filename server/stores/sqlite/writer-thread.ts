import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { createGroupWriter } from "./apply-group.ts";
import { createCheckpointer } from "./checkpoint.ts";
import { openWriting } from "./connection.ts";
import { buildIndexes } from "./index-build.ts";
import type { WriterOptions, WriterReply, WriterRequest } from "./messages.ts";
import { settle } from "./settle.ts";
import { dropCollection, ensureCollection, sweepLeftovers } from "./structure.ts";

/** How long work in the background may keep a commit waiting. */
const BACKGROUND_MS = 8;
/** After a fault of the disk, background work tries again this much later. */
const RETRY_MS = 1000;

/** The thread that owns the one writing connection: it answers requests in order and builds indexes in between. */
function serve(port: MessagePort, { file }: WriterOptions): void {
  const database = openWriting(file);
  const writer = createGroupWriter(database);
  const checkpointer = createCheckpointer(database);
  let scheduled: NodeJS.Immediate | NodeJS.Timeout | undefined;

  function answer(request: WriterRequest): WriterReply {
    switch (request.kind) {
      case "group":
        return applyGroup(request.commits);
      case "ensure":
        if (!ensureCollection(database, request.definition)) return { kind: "ensured" };
        writer.forget();
        // A small collection's indexes are ready when the answer comes.
        for (const end = performance.now() + BACKGROUND_MS; performance.now() < end && background(); );
        return { kind: "ensured" };
      case "drop": {
        const sequence = dropCollection(database, request.collection);
        writer.forget();
        return { kind: "dropped", sequence };
      }
      case "close":
        close();
        return { kind: "closed" };
    }
  }

  function applyGroup(commits: Extract<WriterRequest, { kind: "group" }>["commits"]): WriterReply {
    for (const writes of commits) {
      for (const write of writes) checkpointer.wrote(write.kind === "put" ? write.text.length : 0, 2);
    }
    return { kind: "group", verdicts: writer.apply(commits) };
  }

  /** One bit of work that nobody waits for. @returns whether there is more */
  function background(): boolean {
    if (buildIndexes(database, BACKGROUND_MS)) {
      checkpointer.wrote(0, 100);
      writer.forget();
      return true;
    }
    return sweepLeftovers(database, BACKGROUND_MS);
  }

  /** Goes on by itself until there is nothing left; requests that came meanwhile are answered in between. */
  function schedule(): void {
    scheduled ??= setImmediate(() => {
      scheduled = undefined;
      try {
        if (background()) schedule();
      } catch {
        scheduled = setTimeout(() => {
          scheduled = undefined;
          schedule();
        }, RETRY_MS);
      }
      if (checkpointer.due) checkpointer.run();
    });
  }

  function close(): void {
    if (scheduled) clearImmediate(scheduled as NodeJS.Immediate);
    clearTimeout(scheduled as NodeJS.Timeout);
    try {
      database.pragma("wal_checkpoint(TRUNCATE)");
    } catch {
      // The log is durable as it is and read at the next start.
    }
    database.close();
  }

  port.on("message", (request: WriterRequest) => {
    let reply: WriterReply;
    try {
      reply = answer(request);
    } catch (error) {
      const atCommit = request.kind !== "group" || writer.committing;
      reply = { kind: "failed", refusal: settle(database, error, atCommit, writer.before) };
    }
    port.postMessage(reply);
    if (reply.kind === "closed") port.close();
    else if (request.kind !== "group") schedule();
    else if (checkpointer.due) checkpointer.run();
  });

  const [sequence, highest] = database.prepare("SELECT sequence, highest FROM _state").raw().get() as [number, number];
  port.postMessage({ kind: "started", sequence, highest } satisfies WriterReply);
  schedule();
}

if (parentPort) serve(parentPort, workerData as WriterOptions);
