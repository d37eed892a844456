/**
 * A process for tests that kill it, run out of disk or meet a lock: `sqlite-child.ts <task> <folder>`. It tells what it
 * has done on its output, one JSON text a line.
 */
import { closeSync, ftruncateSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { DocumentStore } from "../../server/stores/document-store.ts";
import { openSqliteStore } from "../../server/stores/sqlite/store.ts";
import { idOf, put } from "./document-store/fixture.ts";

const TASKS: Record<string, (folder: string) => Promise<void>> = { hold, write, pause, build, full };

function tell(line: unknown): void {
  // Written at once: what was told must not be lost with the process.
  writeSync(1, `${JSON.stringify(line)}\n`);
}

async function hold(folder: string): Promise<void> {
  await openSqliteStore({ folder, clock: Date.now });
  tell("held");
  setInterval(() => undefined, 1000);
}

/** Writes with many commits in flight until it is killed, and tells of each what was meant and what was confirmed. */
async function write(folder: string): Promise<void> {
  const store = await openSqliteStore({ folder, clock: Date.now });
  await store.ensureCollection({ name: "notes", indexes: [{ paths: ["n"] }] });
  tell("ready");
  const run = Date.now();
  await Promise.all(
    Array.from({ length: 100 }, async (_, writer) => {
      for (let n = 0; ; n++) {
        const ids = [`${run}-${writer}-${n}-a`, `${run}-${writer}-${n}-b`];
        await store.commit(ids.map((id) => put(store, id, { n })));
        tell(ids);
      }
    }),
  );
}

/** Commits one document and stops where it is durable and nobody has been told. */
async function pause(folder: string): Promise<void> {
  const store = await openSqliteStore({ folder, clock: Date.now, pause: stop });
  await store.ensureCollection({ name: "notes", indexes: [] });
  stopping = true;
  await store.commit([put(store, "a")]);
  tell("answered");
}

let stopping = false;

async function stop(): Promise<void> {
  if (!stopping) return;
  tell("paused");
  await new Promise((resolve) => setTimeout(resolve, 60_000));
}

/** Builds an index over what is there until it is killed. */
async function build(folder: string): Promise<void> {
  const store = await openSqliteStore({ folder, clock: Date.now });
  await store.ensureCollection({ name: "notes", indexes: [{ paths: ["n"] }, { paths: ["k"], unique: true }] });
  tell("building");
  setInterval(() => undefined, 1000);
}

/** Fills the disk under load, gives space back, and tells how writes and reads ended. */
async function full(folder: string): Promise<void> {
  const store = await openSqliteStore({ folder, clock: Date.now });
  await store.ensureCollection({ name: "notes", indexes: [{ paths: ["n"] }] });
  const filler = join(folder, "filler");
  const confirmed: string[] = [];
  const refused: string[] = [];
  const ends = new Set<string>();
  let last = 0;
  const some = async (count: number) => {
    const ids = Array.from({ length: count }, () => idOf(last++));
    await Promise.all(
      ids.map((id) =>
        store.commit([put(store, id, { n: last, text: "x".repeat(2000) })]).then(
          () => confirmed.push(id),
          (error) => {
            refused.push(id);
            ends.add(`${error.code} ${error.details.outcome}`);
          },
        ),
      ),
    );
  };
  await some(50);
  takeRest(filler);
  for (let round = 0; round < 200 && refused.length === 0; round++) await some(20);
  for (let round = 0; round < 3; round++) await some(20);
  const readWhileFull = (await store.get("notes", confirmed)).every((row) => row !== undefined);
  rmSync(filler);
  const before = confirmed.length;
  await some(50);
  const recovered = confirmed.length - before;
  const absent = (await store.get("notes", refused)).every((row) => row === undefined);
  const present = (await store.get("notes", confirmed)).every((row) => row !== undefined);
  await store.close();
  tell({
    ends: [...ends],
    readWhileFull,
    recovered,
    absent,
    present,
    again: await reopened(folder, confirmed, refused),
  });
}

async function reopened(folder: string, confirmed: readonly string[], refused: readonly string[]): Promise<boolean> {
  const store: DocumentStore = await openSqliteStore({ folder, clock: Date.now });
  const rows = await store.get("notes", [...confirmed, ...refused]);
  await store.close();
  return rows.every((row, i) => (row !== undefined) === i < confirmed.length);
}

/** Takes all the space that a small file system has left. */
function takeRest(file: string): void {
  const handle = openSync(file, "w");
  const block = Buffer.alloc(64 * 1024, 1);
  let size = 0;
  try {
    for (;;) size += writeSync(handle, block);
  } catch {
    // Some is left, so that the first commits still fit and one fails in the middle.
    ftruncateSync(handle, Math.max(0, size - 256 * 1024));
  } finally {
    closeSync(handle);
  }
}

const [task = "", folder = ""] = process.argv.slice(2);
await TASKS[task]?.(folder);
