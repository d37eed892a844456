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
   * The result of some work, unless the time ends first. A command's connection is closed by the client's own time-out,
   * a little later; a signal would do that at once, and cost an eighth of a small read.
   *
   * @param givenUp is told of whatever ends the waiting earlier
   * @throws TimeIsUp
   */
  race<T>(work: Promise<T>, givenUp?: Set<() => void>): Promise<T> {
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer);
        givenUp?.delete(giveUp);
      };
      const giveUp = () => {
        end();
        reject(new TimeIsUp());
      };
      const timer = setTimeout(giveUp, this.left);
      givenUp?.add(giveUp);
      work.then(
        (result) => {
          end();
          resolve(result);
        },
        (error: unknown) => {
          end();
          reject(error);
        },
      );
    });
  }
}
