import { Faults } from "./errors.ts";
import { idFault } from "./id.ts";
import { LIMITS } from "./limits.ts";
import { parseNameList } from "./name-list.ts";
import type { Path } from "./paths.ts";
import { parsePath, someValue } from "./paths.ts";
import type { ObjectValue } from "./values.ts";

/** Reads an expand: a list of paths, or one text with commas. Whether they are declared references, the server judges. */
export function parseExpand(input: unknown, at: string, faults: Faults): Path[] {
  return parseNameList(input, at, LIMITS.expandRefs, faults).map((name) => parsePath(name.text, name.at, faults));
}

/**
 * The ids that a path of the documents holds, each once, in the order met. What is not an id's text refers to nothing.
 *
 * @param max how many are left of the `LIMITS.expandIds` that one page may refer to, over all its paths
 * @throws GalleyError `invalid_argument` (`too_many_values`) beyond `max`: leaving some out would read as "gone"
 */
export function referencedIds(documents: Iterable<ObjectValue>, path: Path, max: number = LIMITS.expandIds): string[] {
  const ids = new Set<string>();
  for (const document of documents) {
    const over = someValue(document, path, true, (found) => {
      if (typeof found === "string" && idFault(found) === undefined) ids.add(found);
      return ids.size > max;
    });
    if (!over) continue;
    const faults = new Faults();
    const advice = "lower the limit or expand fewer fields";
    faults.add("expand", "too_many_values", `the page refers to more than ${LIMITS.expandIds} documents: ${advice}`);
    faults.throwIfAny();
  }
  return [...ids];
}
