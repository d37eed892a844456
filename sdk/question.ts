import type { Question } from "./types/question.ts";

/** @param parts what makes up the key, each as JSON text */
export function question<R>(parts: readonly string[], ask: () => Promise<R>): Question<R> {
  return Object.freeze(new Asked(parts, ask));
}

/** Awaited like a promise, but holds no answer: each `then` asks. */
export class Asked<R> implements Question<R> {
  readonly key: string;
  readonly #ask: () => Promise<R>;

  constructor(parts: readonly string[], ask: () => Promise<R>) {
    this.key = `[${parts}]`;
    this.#ask = ask;
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

  get [Symbol.toStringTag](): string {
    return "Question";
  }
}
