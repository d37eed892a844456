import { setTimeout } from "node:timers/promises";
import { type Call, CommandError } from "../command.ts";
import { reachServer } from "../reach.ts";
import { type Collected, Collector, Refused } from "./collect.ts";
import { writeTypes } from "./file.ts";
import { tell, writeFile } from "./write.ts";

/** Milliseconds between two looks: what changes is in the file before its editor is in front again. */
const EVERY = 1000;
/** Looking may take this share of the time, so that many collections do not keep the server busy. */
const SHARE = 0.05;

/**
 * Keeps a file as the collections are, until the process is interrupted. Definitions are no documents that could be
 * watched live, so the list of them is asked for again and again.
 *
 * @throws CommandError if the first look fails, and later where looking again is no use
 */
export async function watchTypes(call: Call, file: string): Promise<void> {
  const ended = new AbortController();
  const stop = () => ended.abort();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, stop);
  try {
    await follow(call, file, ended.signal);
  } catch (error) {
    if (!ended.signal.aborted) throw error;
  } finally {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, stop);
  }
}

async function follow(call: Call, file: string, signal: AbortSignal): Promise<void> {
  const collector = new Collector();
  let before: "nothing" | "found" | "lost" | "refused" = "nothing";
  while (!signal.aborted) {
    const started = performance.now();
    const found = await look(call, collector, signal).catch((error: unknown) => {
      if (before === "nothing" || !(error instanceof CommandError)) throw error;
      return error;
    });
    if (!(found instanceof CommandError)) {
      const changed = writeFile(file, writeTypes(found.collections, found.notes));
      if (changed || before === "nothing") tell(call, file, found.collections.length, changed);
      before = "found";
    } else {
      const isFinal = found instanceof Refused && found.isFinal;
      // One that has just started on the folder has another key, and is asked with it the next time.
      if (isFinal && before === "refused") throw found;
      if (before === "found" && !isFinal) call.warn("the server does not answer: trying again");
      before = isFinal ? "refused" : "lost";
    }
    const pause = Math.max(EVERY, (performance.now() - started) / SHARE);
    await setTimeout(pause, undefined, { signal }).catch(() => {});
  }
}

async function look(call: Call, collector: Collector, signal: AbortSignal): Promise<Collected> {
  const galley = await reachServer(call);
  if (!galley) throw new CommandError("no server runs on this data folder: start one with galley dev");
  return collector.collect({ ...galley, send: (request) => galley.send({ ...request, signal }) });
}
