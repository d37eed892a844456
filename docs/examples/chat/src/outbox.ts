import { ApiError } from "@galley/sdk";
import { useSyncExternalStore } from "react";
import { db, messages } from "./db.ts";
import { wordsOf } from "./fault.tsx";

/** A message that the server has not taken yet. */
export interface Outgoing {
  readonly _id: string;
  readonly room: string;
  readonly author: string;
  readonly text: string;
  readonly at: Date;
  /** Why the server did not want it. It stays until its author tries again or drops it. */
  readonly refused?: string;
}

/** Milliseconds before another try where the network seems to be there. */
const PAUSE = 1000;

let queue: readonly Outgoing[] = [];
let isWorking = false;
const listeners = new Set<() => void>();
// Nobody sends what somebody else wrote.
db.auth.onChange((_, why) => why !== "changed" && become([]));

/** What waits to be sent to a room, oldest first. */
export function useOutbox(room: string): readonly Outgoing[] {
  const all = useSyncExternalStore(subscribe, () => queue);
  return all.filter((message) => message.room === room);
}

export function say(room: string, author: string, text: string): void {
  become([...queue, { _id: crypto.randomUUID(), room, author, text, at: new Date() }]);
  void work();
}

export function sayAgain(id: string): void {
  become(queue.map(({ refused, ...message }) => (message._id === id || !refused ? message : { ...message, refused })));
  void work();
}

export function drop(id: string): void {
  become(queue.filter(({ _id }) => _id !== id));
}

/** One after another, in the order in which they were written, through any time without a network. */
async function work(): Promise<void> {
  if (isWorking) return;
  isWorking = true;
  for (let next = first(); next; next = first()) await deliver(next);
  isWorking = false;
}

function first(): Outgoing | undefined {
  return queue.find(({ refused }) => refused === undefined);
}

/** While it is under way the SDK shows it in the live list; the outbox shows it before, and where that failed. */
async function deliver({ _id, room, author, text }: Outgoing): Promise<void> {
  try {
    await messages.create({ _id, room, author, text });
  } catch (error) {
    if (ApiError.is(error, "network") || (error instanceof ApiError && error.retryable)) return connected();
    // A try before this one has arrived, only its answer did not.
    if (!ApiError.is(error, "already_exists")) return refuse(_id, wordsOf(error as Error));
  }
  drop(_id);
}

function refuse(id: string, refused: string): void {
  become(queue.map((message) => (message._id === id ? { ...message, refused } : message)));
}

async function connected(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, PAUSE));
  while (db.connection.status !== "open") await nextStatus();
}

function nextStatus(): Promise<void> {
  return new Promise((resolve) => {
    const stop = db.connection.onChange(() => {
      stop();
      resolve();
    });
  });
}

function become(next: readonly Outgoing[]): void {
  queue = next;
  for (const tell of listeners) tell();
}

function subscribe(tell: () => void): () => void {
  listeners.add(tell);
  return () => listeners.delete(tell);
}
