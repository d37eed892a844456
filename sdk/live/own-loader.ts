import type { Optimistic, Results } from "./optimistic.ts";
import type { LiveParts } from "./parts.ts";

/** Milliseconds that a new connection waits for it: the server waits for its hello no longer than 5 s. */
const PATIENCE = 4000;

/**
 * Loads what shows own writes, where they are to be shown.
 *
 * @param use is told once it is there; without it results show what the server tells, as ever
 * @returns waits for it: from the first answer on a write is shown at once
 */
export function loadOptimistic(
  { optimistic, own }: Pick<LiveParts, "optimistic" | "own">,
  results: Results,
  use: (loaded: Optimistic) => void,
): () => Promise<unknown> {
  const load = async (): Promise<void> => {
    const { createOptimistic } = await import("./optimistic.ts");
    const loaded = createOptimistic(results);
    use(loaded);
    own.begin = loaded.begin;
  };
  const loading = optimistic && load().catch(() => {});
  return async () => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await Promise.race([
      loading,
      new Promise((resolve) => {
        timer = setTimeout(resolve, PATIENCE);
      }),
    ]);
    clearTimeout(timer);
  };
}
