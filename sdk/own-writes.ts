import type { Operation } from "./operations.ts";
import type { WriteOptions } from "./types/collection.ts";

/** Tells live results of this client's writes before they leave (sdk.md 6). What shows them fills it in once it is loaded. */
export interface OwnWrites {
  begin?: ((operations: readonly Operation[]) => OwnWrite | undefined) | undefined;
}

/** A write on its way. */
export interface OwnWrite {
  /** It leaves, for the first time or again. */
  sent(): void;
  /**
   * @param answers one of each operation: the document as it is stored, or only its version; null where it is gone
   * @param position of its commit
   */
  answered(answers: readonly unknown[], position: string | undefined): void;
  /** It has failed, or nobody knows. */
  refused(): void;
}

/** What a request tells while it is under way, and after. */
export interface Course {
  readonly sent?: (() => void) | undefined;
  /** Of the commit, where a write was answered. */
  position?: string | undefined;
}

/**
 * Makes a write that live results show at once.
 *
 * @param send begins in this turn
 * @param answersOf what was answered, one for each operation
 */
export function showing<R>(
  { begin }: OwnWrites,
  operations: readonly Operation[],
  { optimistic }: Pick<WriteOptions, "optimistic">,
  send: (course: Course) => Promise<R>,
  answersOf: (answer: R) => readonly unknown[],
): Promise<R> {
  const own = optimistic === false ? undefined : begin?.(operations);
  const course: Course = { sent: own?.sent };
  const answer = send(course);
  // Before whoever waits for it goes on. What is no answer of Galley's shows nothing.
  if (own)
    answer.then((answered) => own.answered(answersOf(answered), course.position), own.refused).catch(own.refused);
  return answer;
}
