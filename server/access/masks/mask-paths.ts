import { isNumericSegment, type Path } from "#protocol/paths";

/**
 * Whether two paths may lead to one place, or one to a place beneath the other's. A numeric segment may be an index, which
 * the other path leaves out (`items.0.price` and `items.price`), so it may stand for nothing; never the first one, because
 * a document is no array. It errs on the side of yes.
 */
export function overlap(path: Path, other: Path): boolean {
  // A bit for each number of segments of `other` that the segments of `path` read so far can stand for.
  let reached = withIndexes(1, other);
  for (const [i, segment] of path.entries()) {
    if (reached & (1 << other.length)) return true;
    let next = i > 0 && isNumericSegment(segment) ? reached : 0;
    for (let j = 0; j < other.length; j++) {
      if (reached & (1 << j) && other[j] === segment) next |= 1 << (j + 1);
    }
    reached = withIndexes(next, other);
    if (reached === 0) return false;
  }
  return true;
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
