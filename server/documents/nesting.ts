/** Whether objects and arrays are nested deeper than so many levels, the outermost being the first. Never recurses. */
export function deeperThan(input: unknown, levels: number): boolean {
  let level: unknown[] = [input];
  for (let depth = 0; ; depth++) {
    level = level.filter(isNested);
    if (level.length === 0) return false;
    if (depth === levels) return true;
    level = level.flatMap((item) => Object.values(item as object));
  }
}

function isNested(item: unknown): boolean {
  return typeof item === "object" && item !== null && !(item instanceof Date) && !(item instanceof Uint8Array);
}
