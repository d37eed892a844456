import type { Log } from "../log.ts";
import type { DocumentStore } from "../stores/document-store.ts";
import type { Definition } from "./definition-document.ts";
import type { Definitions } from "./definitions.ts";
import type { HeldDefinitions } from "./definitions-held.ts";

const INTERVAL = 1000;

export interface RecoveryOptions {
  readonly store: DocumentStore;
  readonly held: HeldDefinitions;
  readonly definitions: Pick<Definitions, "put" | "drop" | "undertaken">;
  /** Whether this node itself is at work on a definition. */
  readonly isBusy: (name: string) => boolean;
  readonly remove: (name: string, version: number) => Promise<void>;
  readonly log: Log;
}

/**
 * Ends changes of definitions that their node left half done: it was killed, or could not take back what failed. A change
 * is taken back, a collection that was being made is forgotten, a drop is finished. Several nodes may try: versions decide.
 */
export function startRecovery(options: RecoveryOptions): { run(): Promise<void>; close(): void } {
  const { store, held, definitions, isBusy, remove, log } = options;
  let running = false;
  const timer = setInterval(() => {
    if (running) return;
    running = true;
    void run().finally(() => {
      running = false;
    });
  }, INTERVAL);
  timer.unref();

  function isOrphan({ name, pending }: Definition): boolean {
    if (!pending) return false;
    const { self, lives } = store.nodes;
    return pending.by === self ? !isBusy(name) : !lives(pending.by);
  }

  async function run(): Promise<void> {
    for (const orphan of held.all().filter(isOrphan)) {
      // Not in the line of this node's own changes, which may wait for just this. Versions keep them apart.
      const ended = definitions.undertaken(orphan.name, () => end(orphan));
      await ended.catch((error: unknown) => {
        log.info({ err: error, collection: orphan.name }, "a change that was cut off is not ended yet");
      });
    }
  }

  async function end({ name, version, pending }: Definition): Promise<void> {
    log.warn({ collection: name, change: pending?.kind }, "ending a change of a definition that was cut off");
    switch (pending?.kind) {
      case "change": {
        const { schema, indexes } = pending;
        await store.ensureCollection({ name, indexes });
        await definitions.put(name, version, { schema, indexes });
        return;
      }
      case "create":
        await remove(name, version);
        return;
      case "drop":
        await definitions.drop(name);
        return;
      case undefined:
        return;
    }
  }

  return { run, close: () => clearInterval(timer) };
}
