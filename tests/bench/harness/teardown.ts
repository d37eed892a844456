import type { Skippable } from "../../support/teardown.ts";

/** Runs something that leaves its ends to a test, and does them afterwards, the last one first. */
export async function withTeardown<T>(run: (t: Skippable) => Promise<T>): Promise<T> {
  const ends: (() => unknown)[] = [];
  try {
    return await run({
      teardown: (end) => void ends.unshift(end),
      pass: (_, { skip }) => console.error(skip),
    });
  } finally {
    for (const end of ends) await end();
  }
}
