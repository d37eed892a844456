/** What one socket after the other of a subscriber said and was told, in order. */
import type { ServerFrame } from "#protocol/frames";
import type { Question } from "./question.ts";
import type { Who } from "./world.ts";

/** A document as a frame tells it. */
export interface Shown {
  readonly _id: string;
  readonly _v: number;
}
export type Frame = ServerFrame<Shown>;

export type TranscriptEvent =
  /** A new socket. `after`: as its `hello` says. */
  | { readonly kind: "open"; readonly after: string | undefined }
  /** `held`: what it says that it still has. */
  | { readonly kind: "sub"; readonly s: number; readonly question: Question; readonly held?: readonly Shown[] }
  | { readonly kind: "unsub"; readonly s: number }
  | { readonly kind: "frame"; readonly frame: Frame }
  | { readonly kind: "close"; readonly code: number; readonly reason: string }
  /** All is written and was told, as far as the subscriber can know. */
  | { readonly kind: "finish" };

export interface Transcript {
  readonly name: string;
  readonly who: Who;
  readonly events: TranscriptEvent[];
}
