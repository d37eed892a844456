import { randomFillSync } from "node:crypto";

/** Asked of the system at once: a call costs more than the bytes of many ids. */
const POOL_BYTES = 4096;

/** Random bytes of the operating system, from a pool that is handed out once and then filled anew. */
export function pooledRandom(): (bytes: number) => Uint8Array {
  const pool = new Uint8Array(POOL_BYTES);
  let used = POOL_BYTES;
  return (bytes) => {
    if (bytes > POOL_BYTES) return randomFillSync(new Uint8Array(bytes));
    if (used + bytes > POOL_BYTES) {
      randomFillSync(pool);
      used = 0;
    }
    used += bytes;
    // A copy: the pool's next filling must not change what a caller keeps, nor a caller the pool.
    return pool.slice(used - bytes, used);
  };
}
