/** Between two looks: a tenth of the time waited so far, within these bounds, since a look may be a request to a server. */
const LEAST_MS = 3;
const MOST_MS = 25;

/**
 * Waits for a condition, asked again and again.
 *
 * @param what is waited for, in words; a function where it costs something to say
 * @throws Error if it has not come about in that many seconds
 */
export async function until(
  holds: () => boolean | Promise<boolean>,
  seconds = 60,
  what: string | (() => string) = "what was waited for",
): Promise<void> {
  const began = performance.now();
  while (!(await holds())) {
    const waited = performance.now() - began;
    if (waited > seconds * 1000) {
      throw new Error(`${typeof what === "string" ? what : what()} did not come about in ${seconds} s`);
    }
    await new Promise((resolve) => setTimeout(resolve, Math.min(MOST_MS, Math.max(LEAST_MS, waited / 10))));
  }
}
