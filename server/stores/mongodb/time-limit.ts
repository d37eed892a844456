import type { RunCommandOptions } from "mongodb";

/** Work that was not done in its time. */
export class TimeIsUp extends Error {
  constructor() {
    super("no answer came in time");
    this.name = "TimeIsUp";
  }
}

/** The time that is left for something, of which each part may take all. */
export class Deadline {
  readonly #end: number;

  constructor(milliseconds: number) {
    this.#end = performance.now() + milliseconds;
  }

  /** Milliseconds, at least 1. */
  get left(): number {
    return Math.max(1, Math.ceil(this.#end - performance.now()));
  }

  get over(): boolean {
    return performance.now() >= this.#end;
  }

  /**
   * Options of a command that closes its connection when no answer comes in time. The driver takes this for commands
   * as it does for clients; a signal would do the same and cost as much as a small read.
   */
  limit<T extends RunCommandOptions>(options: T): T & { readonly socketTimeoutMS: number } {
    return { ...options, socketTimeoutMS: this.left };
  }

  /**
   * The result of some work, unless the time ends first: for what cannot be told to stop, but must not be waited for.
   * @throws TimeIsUp
   */
  async race<T>(work: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new TimeIsUp()), this.left);
    });
    try {
      return await Promise.race([work, over]);
    } finally {
      clearTimeout(timer);
    }
  }
}
