import { DOOR } from "./door.ts";
import type { Watch } from "./live.ts";
import type { Live, LiveState } from "./types/live.ts";
import type { Question } from "./types/question.ts";

export function question<R>(key: string, ask: () => Promise<R>, watch: Watch): Question<R> {
  return Object.freeze(new Asked(key, ask, watch));
}

/** @param parts the rest of the question, as JSON texts */
export function keyOf(kind: string, collection: string, ...parts: string[]): string {
  return `["${kind}","${collection}",${parts}]`;
}

/** Awaited like a promise, but holds no answer: each `then` asks. */
export class Asked<R> implements Question<R> {
  readonly key: string;
  readonly #ask: () => Promise<R>;
  readonly #watch: Watch;

  constructor(key: string, ask: () => Promise<R>, watch: Watch) {
    this.key = key;
    this.#ask = ask;
    this.#watch = watch;
  }

  live(next?: (state: LiveState<R>) => void): Live<R> {
    return this.#watch(this.key, next);
  }

  // biome-ignore lint/suspicious/noThenProperty: being awaited is what a question is for
  then<A = R, B = never>(
    onAnswer?: ((answer: R) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#ask().then(onAnswer, onError);
  }

  catch<B = never>(onError?: ((error: unknown) => B | PromiseLike<B>) | null): Promise<R | B> {
    return this.#ask().catch(onError);
  }

  finally(onEnd?: (() => void) | null): Promise<R> {
    return this.#ask().finally(onEnd);
  }

  /** For the SDK's own hooks. */
  get [DOOR](): Watch {
    return this.#watch;
  }

  get [Symbol.toStringTag](): string {
    return "Question";
  }
}
