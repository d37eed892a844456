/**
 * The result of some work, unless a signal comes first: for what cannot be told to stop, but must not be waited for.
 * @throws the signal's reason
 */
export async function within<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let end: () => void = () => {};
  const over = new Promise<never>((_, reject) => {
    end = () => reject(signal.reason);
    if (signal.aborted) end();
    else signal.addEventListener("abort", end);
  });
  try {
    return await Promise.race([work, over]);
  } finally {
    signal.removeEventListener("abort", end);
  }
}
