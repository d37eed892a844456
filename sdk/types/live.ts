/// <reference lib="esnext.disposable" preserve="true" />
import type { ApiError } from "../error.ts";

/** What a live result is, from one commit to the next. Never changed: a new one takes its place. */
export interface LiveState<R> {
  /** Undefined until the first answer. A document keeps its identity as long as it is the same, and so does the list. */
  readonly data: R | undefined;
  /** Lists and single documents: what is different from the state before. Empty for counts and aggregates. */
  readonly changes: readonly Change<R>[];
  /** Lists: others follow, beyond the limit. */
  readonly more: boolean;
  /** Whether it equals the server's result: connected, whole, nothing under way. */
  readonly synced: boolean;
  /** Shows own writes that the server has not confirmed. */
  readonly pending: boolean;
  /** From a store of this device, not yet answered on this connection. */
  readonly fromCache: boolean;
  /** This subscription has ended, for good. */
  readonly error: ApiError | undefined;
  /** The commit that it shows. */
  readonly position: string | undefined;
}

/** One document that came, went, moved or is another version; `from` and `to` are its places, −1 for none. */
export interface Change<R> {
  readonly type: "added" | "updated" | "moved" | "removed";
  readonly id: string;
  readonly document: Shown<R>;
  readonly from: number;
  readonly to: number;
}
type Shown<R> = R extends readonly (infer D)[] ? D : NonNullable<R>;

/**
 * A question that stays answered, until it is closed.
 *
 * @example for await (const { data } of todos.find({ done: false }).live()) render(data);
 */
export interface Live<R> extends AsyncIterable<LiveState<R>>, Disposable {
  /** The newest; the same object until something changes. */
  readonly state: LiveState<R>;
  /** The first answer. @throws ApiError if the question is refused, `aborted` if it is closed before */
  readonly ready: Promise<R>;
  /** No more states. */
  close(): void;
}

/** The socket that all live results of a client share. */
export interface Connection {
  /** `off`: nobody watches anything; `waiting`: lost, and tried again in a moment. */
  readonly status: "off" | "connecting" | "open" | "waiting";
  /** @returns what ends it */
  onChange(fn: () => void): () => void;
  /** Closes the socket until {@link resume}: for an app that goes into the background. */
  pause(): void;
  resume(): void;
}
