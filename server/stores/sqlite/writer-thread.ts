import { isMainThread, workerData } from "node:worker_threads";
import { changing, settleActivity } from "./activity.ts";
import { createGroupWriter } from "./apply-group.ts";
import { createBackground } from "./background.ts";
import { createCheckpointer } from "./checkpoint.ts";
import { openWriting } from "./connection.ts";
import type { WriterData, WriterReply, WriterRequest } from "./messages.ts";
import { unpackGroup } from "./packed-group.ts";
import { settle } from "./settle.ts";
import { dropCollection, ensureCollection } from "./structure.ts";

type State = [sequence: number, highest: number];

/** The thread that owns the one writing connection: it answers requests in order and builds indexes in between. */
function serve({ file, activity, port }: WriterData): void {
  const database = openWriting(file);
  const readState = database.prepare<[], State>("SELECT sequence, highest FROM _state").raw();
  const writer = createGroupWriter(database);
  const checkpointer = createCheckpointer(database);
  const background = createBackground(database, checkpointer, activity);

  function answer(request: WriterRequest): WriterReply {
    switch (request.kind) {
      case "group": {
        const commits = unpackGroup(request.commits);
        const verdicts = writer.apply(commits);
        for (const writes of commits) checkpointer.wrote(writes);
        return { kind: "group", verdicts };
      }
      case "ensure":
        // A small collection's indexes are ready when the answer comes.
        if (ensureCollection(database, request.definition)) background.advance();
        return { kind: "ensured" };
      case "drop":
        return { kind: "dropped", sequence: dropCollection(database, request.collection) };
      case "close":
        background.stop();
        checkpointer.finish();
        database.close();
        return { kind: "closed" };
    }
  }

  port.on("message", (request: WriterRequest) => {
    let before: number | undefined;
    let reply: WriterReply;
    try {
      before = readState.get()?.[0];
      reply = changing(activity, () => answer(request));
    } catch (error) {
      const atCommit = request.kind !== "group" || writer.committing;
      reply = { kind: "failed", refusal: changing(activity, () => settle(database, error, atCommit, before)) };
    }
    port.postMessage(reply);
    if (reply.kind === "closed") port.close();
    else if (request.kind !== "group") background.schedule();
    else if (checkpointer.due) checkpointer.run();
  });

  settleActivity(activity);
  const [sequence, highest] = readState.get() as State;
  port.postMessage({ kind: "started", sequence, highest } satisfies WriterReply);
  background.schedule();
}

if (!isMainThread) serve(workerData as WriterData);
