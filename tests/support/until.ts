/** Waits for a condition, asked again and again. @throws Error if it has not come about in a minute */
export async function until(holds: () => boolean | Promise<boolean>, seconds = 60): Promise<void> {
  const end = performance.now() + seconds * 1000;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`what was waited for did not come about in ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
}
