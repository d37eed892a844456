import type { Leaf, Node } from "#protocol/ast";
import { compare, RANK, type Rank, rankOf } from "#protocol/compare";
import { hasNumericSegment, type Path } from "#protocol/paths";
import type { Value } from "#protocol/values";
import { type Span, spanOf, spanOfPrefix, tightest } from "./edges.ts";

/** Where a window stands in the index: a document that the filter accepts meets at least one of its entries. */
export type Entry =
  | { readonly kind: "value"; readonly path: Path; readonly value: Value }
  | { readonly kind: "span"; readonly path: Path; readonly rank: Rank; readonly span: Span };

/** How many windows stand under a value already. */
export type Crowd = (path: Path, value: Value) => number;

/**
 * The entries of a filter: its most selective conjunct's, or those of every branch of an `or` (live-queries.md 5.1).
 * Of conjuncts that are alike the one is taken under which the fewest windows stand, since those are what a document
 * there costs. So what differs from user to user, as rules bind it, wins over what all ask for.
 *
 * @returns undefined if no value or span can find it; no entries if nothing can match it
 */
export function entriesOf(filter: Node, crowd: Crowd): readonly Entry[] | undefined {
  return choose(filter, TOP, crowd)?.entries;
}

/** A field that a filter without entries asks about, though not for a value: of an `or`, in a branch without entries. */
export function lackingField(node: Node): Path | undefined {
  switch (node.kind) {
    case "true":
    case "false":
      return undefined;
    case "and":
      return node.of.map(lackingField).find((path) => path !== undefined);
    case "or":
      return node.of
        .filter((branch) => !choose(branch, TOP, () => 0))
        .map(lackingField)
        .find((path) => path !== undefined);
    case "not":
      return node.of.path;
    default:
      return node.path;
  }
}

/** What limits a window's entries, and so what it costs to add and remove. */
const BRANCHES = 16;
const ENTRIES = 512;
/** More values than this are worth less than a span that is closed. */
const FEW_VALUES = 32;

/** From the most to the least selective. */
const TIER = { ids: 0, values: 1, commonValues: 2, closed: 3, manyValues: 4, open: 5 } as const;

interface Choice {
  readonly entries: readonly Entry[];
  readonly tier: number;
  /** Windows under the fullest of the entries. */
  readonly crowd: number;
}

/** Where paths start: at the document, or at the elements of the array at the end of a path. */
interface Place {
  readonly prefix: Path;
  readonly inside: boolean;
}

const TOP: Place = { prefix: [], inside: false };

function choose(node: Node, place: Place, crowd: Crowd): Choice | undefined {
  switch (node.kind) {
    case "false":
      return { entries: [], tier: TIER.ids, crowd: 0 };
    case "and":
      return chooseOne(node.of, place, crowd);
    case "or":
      return chooseAll(node.of, place, crowd);
    case "true":
    case "not":
      return undefined;
    default:
      return chooseOne([node], place, crowd);
  }
}

/** Every branch of an `or`, as it is no more selective than the least of them. */
function chooseAll(branches: readonly Node[], place: Place, crowd: Crowd): Choice | undefined {
  if (branches.length > BRANCHES) return undefined;
  const choices: Choice[] = [];
  for (const branch of branches) {
    const choice = choose(branch, place, crowd);
    if (!choice) return undefined;
    choices.push(choice);
  }
  const entries = choices.flatMap((choice) => choice.entries);
  if (entries.length > ENTRIES) return undefined;
  return {
    entries,
    tier: Math.max(...choices.map(({ tier }) => tier)),
    crowd: Math.max(...choices.map((choice) => choice.crowd)),
  };
}

/** The best of some conjuncts. */
function chooseOne(conjuncts: readonly Node[], place: Place, crowd: Crowd): Choice | undefined {
  let best: Choice | undefined;
  const consider = (choice: Choice | undefined) => {
    if (choice && (!best || choice.tier < best.tier || (choice.tier === best.tier && choice.crowd < best.crowd))) {
      best = choice;
    }
  };
  const spans = new Map<string, Extract<Entry, { kind: "span" }>>();
  for (const node of conjuncts) {
    const span = spanEntry(node, place);
    if (span) {
      const key = `${span.rank} ${span.path.join(".")}`;
      const there = spans.get(key);
      spans.set(key, there ? { ...there, span: tightest(compare, there.span, span.span) } : span);
    } else consider(chooseOther(node, place, crowd));
  }
  for (const entry of spans.values()) {
    const closed = entry.span.from && entry.span.to;
    consider({ entries: [entry], tier: closed ? TIER.closed : TIER.open, crowd: 0 });
  }
  return best;
}

/** Of a test that asks for values in some order. */
function spanEntry(node: Node, place: Place): Extract<Entry, { kind: "span" }> | undefined {
  if (node.kind === "compare" && node.op !== "eq") {
    const path = pathIn(place, node.path);
    return path && { kind: "span", path, rank: rankOf(node.value), span: spanOf(node.op, node.value) };
  }
  if (node.kind === "text" && node.at === "start") {
    const path = pathIn(place, node.path);
    return path && { kind: "span", path, rank: RANK.string, span: spanOfPrefix(node.text) };
  }
  return undefined;
}

function chooseOther(node: Node, place: Place, crowd: Crowd): Choice | undefined {
  switch (node.kind) {
    case "and":
    case "or":
    case "true":
    case "false":
      return choose(node, place, crowd);
    case "compare":
      return node.op === "eq" ? chooseValues(node.path, [node.value], place, crowd) : undefined;
    case "in":
      return chooseValues(node.path, node.values, place, crowd);
    case "elementValue":
      return chooseElement(node, place, crowd);
    case "elementObject": {
      const path = pathInside(place, node.path);
      return path && choose(node.of, { prefix: path, inside: true }, crowd);
    }
    default:
      return undefined;
  }
}

/** The tests are of the element itself, which the path yields too where it is not reached by its index. */
function chooseElement(leaf: Extract<Leaf, { kind: "elementValue" }>, place: Place, crowd: Crowd): Choice | undefined {
  const path = pathInside(place, leaf.path);
  // What an element's own elements are asked, no path yields.
  const tests = leaf.of.filter(({ kind }) => kind === "compare" || kind === "in" || kind === "text");
  return path && chooseOne(tests, { prefix: path, inside: true }, crowd);
}

function chooseValues(path: Path, values: readonly Value[], place: Place, crowd: Crowd): Choice | undefined {
  const whole = pathIn(place, path);
  // An element that is an array has no field, so it passes as null, yet a path that goes on from it yields nothing.
  if (!whole || (place.inside && values.includes(null))) return undefined;
  return {
    entries: values.map((value) => ({ kind: "value", path: whole, value })),
    tier: tierOf(whole, values),
    crowd: values.reduce((most: number, value) => Math.max(most, crowd(whole, value)), 0),
  };
}

function tierOf(path: Path, values: readonly Value[]): number {
  if (path.length === 1 && path[0] === "_id") return TIER.ids;
  // Half of all documents may share one of these.
  if (values.some((value) => value === null || typeof value === "boolean")) return TIER.commonValues;
  return values.length > FEW_VALUES ? TIER.manyValues : TIER.values;
}

/** The path from the document; undefined where a value inside an element cannot be found by one. */
function pathIn({ prefix, inside }: Place, path: Path): Path | undefined {
  if (!inside) return path;
  return hasNumericSegment(path) ? undefined : [...prefix, ...path];
}

/** The path to an array whose elements are judged; an element that is reached by its index is not opened by a path. */
function pathInside({ prefix }: Place, path: Path): Path | undefined {
  return hasNumericSegment(path) ? undefined : [...prefix, ...path];
}
