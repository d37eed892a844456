import { isNumericSegment, type Path } from "#protocol/paths";

/**
 * Whether two paths may lead to one place, or one to a place beneath the other's. A numeric segment may be an index, which
 * the other path leaves out (`items.0.price` and `items.price`), so it may stand for nothing; never the first one, because
 * a document is no array. It errs on the side of yes.
 */
export function overlap(path: Path, other: Path): boolean {
  return reachedBy(path, other) !== 0;
}

/** Whether a path may lead to the place of another one, or to one beneath it; errs as {@link overlap}. */
export function leadsInto(path: Path, other: Path): boolean {
  return (reachedBy(path, other) & (1 << other.length)) !== 0;
}

/** A bit for each number of segments of `other` that `path` can stand for; all of them once it has come so far. */
function reachedBy(path: Path, other: Path): number {
  const whole = 1 << other.length;
  let reached = withIndexes(1, other);
  for (const [i, segment] of path.entries()) {
    if (reached & whole) return whole;
    let next = i > 0 && isNumericSegment(segment) ? reached : 0;
    for (let j = 0; j < other.length; j++) {
      if (reached & (1 << j) && other[j] === segment) next |= 1 << (j + 1);
    }
    reached = withIndexes(next, other);
    if (reached === 0) return 0;
  }
  return reached;
}

/** Adds what is reached by leaving out numeric segments. */
function withIndexes(reached: number, path: Path): number {
  let all = reached;
  for (let j = 1; j < path.length; j++) {
    if (all & (1 << j) && isNumericSegment(path[j] as string)) all |= 1 << (j + 1);
  }
  return all;
}

/** Whether `path` is `prefix` or begins with it. */
export function beginsWith(path: Path, prefix: Path): boolean {
  return prefix.length <= path.length && prefix.every((segment, i) => segment === path[i]);
}
