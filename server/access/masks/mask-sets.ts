import type { Node } from "#protocol/ast";
import { compileFilter } from "#protocol/match";
import type { Path } from "#protocol/paths";
import type { ObjectValue } from "#protocol/values";
import { Cover } from "./mask-cover.ts";

type Predicate = (document: ObjectValue) => boolean;
/** Of each document, or the same for every one. */
export type Verdict = boolean | Predicate;

/** Filters are compiled once: a Node is frozen, and the same one comes back for the same rights. */
const compiled = new WeakMap<Node, Predicate>();

/** Whether a document passes, decided here where that is the same for every document. */
export function verdictOf(filter: Node): Verdict {
  if (filter.kind === "true" || filter.kind === "false") return filter.kind === "true";
  const predicate = compiled.get(filter) ?? compileFilter(filter);
  compiled.set(filter, predicate);
  return predicate;
}

/** The paths of the masks that withhold something in a document, and what they cover. */
export interface MaskSet {
  readonly paths: readonly Path[];
  /** The paths in text, sorted. */
  readonly names: readonly string[];
  /** Undefined if there are none. */
  readonly cover: Cover | undefined;
}

/** How many sets are remembered: filters may fall out in many ways, and documents decide which. */
const REMEMBERED = 64;

/** Which masks withhold something, by document. Each set is made once. */
export function createMaskSets(
  masks: readonly { readonly path: Path; readonly withheld: Verdict }[],
): (document: ObjectValue) => MaskSet {
  const always = masks.filter(({ withheld }) => withheld === true).map(({ path }) => path);
  const depends: { path: Path; withheld: Predicate }[] = [];
  for (const { path, withheld } of masks) if (typeof withheld === "function") depends.push({ path, withheld });
  const least = setOf(always);
  if (depends.length === 0) return () => least;
  const known = new Map<string, MaskSet>();
  return (document) => {
    let verdicts = "";
    for (const { withheld } of depends) verdicts += withheld(document) ? "1" : "0";
    let set = known.get(verdicts);
    if (!set) {
      set = setOf([...always, ...depends.filter((_, i) => verdicts[i] === "1").map(({ path }) => path)]);
      if (known.size >= REMEMBERED) known.clear();
      known.set(verdicts, set);
    }
    return set;
  };
}

function setOf(paths: readonly Path[]): MaskSet {
  return { paths, names: paths.map((path) => path.join(".")).sort(), cover: Cover.of(paths) };
}
