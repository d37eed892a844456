import type { Question } from "./types/question.ts";

export function question<R>(key: string, ask: () => Promise<R>): Question<R> {
  return Object.freeze(new Asked(key, ask));
}

/** @param parts the rest of the question, as JSON texts */
export function keyOf(kind: string, collection: string, ...parts: string[]): string {
  return `["${kind}","${collection}",${parts}]`;
}

/** Awaited like a promise, but holds no answer: each `then` asks. */
export class Asked<R> implements Question<R> {
  readonly key: string;
  readonly #ask: () => Promise<R>;

  constructor(key: string, ask: () => Promise<R>) {
    this.key = key;
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
