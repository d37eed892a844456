import type { Node } from "#protocol/ast";
import type { Value } from "#protocol/values";

/** Texts of which a document's JSON text holds at least one, if the filter is true of it. */
export type Needles = readonly string[];

/** More than a few searches through a text cost as much as parsing it. */
const MOST = 8;

/**
 * What must stand in a document's text for a filter to be true, whatever the path: the JSON text of a string or date
 * that it has to hold. Undefined if the filter asks for no such thing.
 */
export function needlesOf(filter: Node): Needles | undefined {
  switch (filter.kind) {
    case "compare":
      return filter.op === "eq" ? listOf([filter.value]) : undefined;
    case "in":
      return listOf(filter.values);
    case "text": {
      // Escaping works on each character by itself, so a part of a text has a part of its JSON text.
      const inner = JSON.stringify(filter.text).slice(1, -1);
      return [`${filter.at === "start" ? '"' : ""}${inner}${filter.at === "end" ? '"' : ""}`];
    }
    case "and":
    case "elementValue":
      return best(filter.of.map(needlesOf));
    case "elementObject":
      return needlesOf(filter.of);
    case "or": {
      const branches = filter.of.map(needlesOf);
      const all = branches.flatMap((needles) => needles ?? []);
      return branches.includes(undefined) || all.length > MOST ? undefined : all;
    }
    default:
      return undefined;
  }
}

function listOf(values: readonly Value[]): Needles | undefined {
  if (values.length === 0 || values.length > MOST) return undefined;
  const needles: string[] = [];
  for (const value of values) {
    if (typeof value === "string") needles.push(JSON.stringify(value));
    else if (value instanceof Date) needles.push(JSON.stringify(value.toISOString()));
    else return undefined;
  }
  return needles;
}

/** Of several conditions the one that is likely to leave the least: few texts, long ones. */
function best(candidates: readonly (Needles | undefined)[]): Needles | undefined {
  let found: Needles | undefined;
  for (const needles of candidates) if (needles && (!found || worth(needles) > worth(found))) found = needles;
  return found;
}

function worth(needles: Needles): number {
  return Math.min(...needles.map((needle) => needle.length)) / needles.length;
}
