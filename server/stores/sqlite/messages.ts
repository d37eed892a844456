import type { MessagePort } from "node:worker_threads";
import type { ErrorCode, ErrorDetails } from "#protocol/errors";
import type { StoredCollection } from "../document-store.ts";
import type { Activity } from "./activity.ts";
import type { PackedGroup } from "./packed-group.ts";

/** What the writer's thread is handed. */
export interface WriterData extends Omit<WriterOptions, "thread"> {
  /** Its end of the way to and fro. */
  readonly port: MessagePort;
}

/** What the writer thread is started with. */
export interface WriterOptions {
  readonly file: string;
  /** Tells readers when the file may be changing. */
  readonly activity: Activity;
  /** The module that the thread runs; that of the store if left out. */
  readonly thread?: URL | undefined;
}

/** What goes to the writer thread: one at a time, each answered by one {@link WriterReply}. */
export type WriterRequest =
  /** Commits that share a transaction and its sync, each with its own fate. */
  | { readonly kind: "group"; readonly commits: PackedGroup }
  | { readonly kind: "ensure"; readonly definition: StoredCollection }
  | { readonly kind: "drop"; readonly collection: string }
  | { readonly kind: "close" };

/** What the thread sends: once when it has started, then one for each request. */
export type WriterReply =
  | { readonly kind: "started"; readonly sequence: number; readonly highest: number }
  /** One verdict a commit: its sequence number, or why it was refused. */
  | { readonly kind: "group"; readonly verdicts: readonly (number | Refusal)[] }
  | { readonly kind: "ensured" }
  /** The sequence number of the drop; undefined if there was no such collection. */
  | { readonly kind: "dropped"; readonly sequence: number | undefined }
  /** The request failed as a whole. */
  | { readonly kind: "failed"; readonly refusal: Refusal }
  | { readonly kind: "closed" };

/** A GalleyError in a form that survives the way between threads. `cause` is for the log. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: ErrorDetails;
  readonly cause?: string;
}
