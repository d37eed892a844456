import type { Faults } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import { parseNameList } from "./name-list.ts";
import type { Path } from "./paths.ts";
import { parsePlainPath } from "./paths.ts";
import type { ObjectValue, Value } from "./values.ts";
import { isObjectValue } from "./values.ts";

/** Reads a select: a list of paths, or one text with commas; inclusion only. An empty list leaves `_id` and `_v`. */
export function parseSelect(input: unknown, at: string, faults: Faults): Path[] {
  return parseNameList(input, at, LIMITS.selectPaths, faults).map((name) => parsePlainPath(name.text, name.at, faults));
}

/**
 * The parts of a document under the paths, as a new object; query-language.md 5.2. `_id` and `_v` always belong to it.
 * Keys keep their stored order. Values that a path covers whole are shared with the document, not copied.
 */
export function project(document: ObjectValue, paths: readonly Path[]): ObjectValue {
  let tree = trees.get(paths);
  if (!tree) {
    tree = treeOf(paths);
    trees.set(paths, tree);
  }
  return projectObject(document, tree);
}

/** Which keys of an object are selected: whole, or in part by the keys below. */
type Tree = Map<string, Tree | "whole">;

/** A page projects up to 1,000 documents by the same list of paths, so the list's tree is made once. */
const trees = new WeakMap<readonly Path[], Tree>();

function treeOf(paths: readonly Path[]): Tree {
  const root: Tree = new Map([
    ["_id", "whole"],
    ["_v", "whole"],
  ]);
  for (const path of paths) {
    let tree = root;
    for (const [i, segment] of path.entries()) {
      const below = tree.get(segment);
      if (below === "whole") break; // a shorter path covers this one
      if (i === path.length - 1) {
        tree.set(segment, "whole");
        break;
      }
      const next = below ?? new Map<string, Tree | "whole">();
      tree.set(segment, next);
      tree = next;
    }
  }
  return root;
}

function projectObject(object: ObjectValue, tree: Tree): ObjectValue {
  const out: Record<string, Value> = {};
  for (const key of Object.keys(object)) {
    const below = tree.get(key);
    if (!below) continue;
    const value = object[key] as Value;
    const kept = below === "whole" ? value : projectInner(value, below);
    if (kept !== undefined) out[key] = kept;
  }
  return out;
}

/** Undefined where the path goes on and the value does not. */
function projectInner(value: Value, tree: Tree): Value | undefined {
  if (Array.isArray(value)) {
    const elements = (value as readonly Value[]).map((element) => projectInner(element, tree));
    return elements.filter((element) => element !== undefined);
  }
  return isObjectValue(value) ? projectObject(value, tree) : undefined;
}
