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
  const end = performance.now() + seconds * 1000;
  while (!(await holds())) {
    if (performance.now() > end) {
      throw new Error(`${typeof what === "string" ? what : what()} did not come about in ${seconds} s`);
    }
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
}
