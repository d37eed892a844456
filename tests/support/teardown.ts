/** What parts borrow from a test, so that others than tests can lend it too. */
export interface Teardown {
  /** Calls `end` when all is over. */
  teardown(end: () => unknown): void;
}

export interface Skippable extends Teardown {
  /** Tells why something was not run. */
  pass(message: string, extra: { skip: string }): unknown;
}
