import type { ElementMatch, Node } from "#protocol/ast";
import type { Path } from "#protocol/paths";
import type { Change, Segment, Update } from "#protocol/update-ast";

/** What an update speaks of; elements (`$[]`, `$[x]`) are left out of the paths, as filters do. */
export interface UpdateNames {
  /** What it writes. */
  readonly named: readonly Path[];
  /**
   * What it reads to decide what to write, so that the outcome tells something about it: the source of `$rename`, the
   * arrays of `$pull`, `$pullAll` and `$addToSet`, the conditions of `$pull` and `$[x]`, the keys of `$sort`.
   */
  readonly sources: readonly Path[];
  /**
   * What must be of some kind for the update to be applied at all, so that a refusal tells of which kind it is: the object
   * or array that a path goes into, the number of `$inc` and `$mul`, the array of `$push` and `$pop`.
   */
  readonly kinds: readonly Path[];
}

export function namesOf({ changes }: Update): UpdateNames {
  return {
    named: changes.flatMap(namedBy),
    sources: changes.flatMap(sourcesOf),
    kinds: changes.flatMap(kindsOf).filter((path) => path.length > 0),
  };
}

function namedBy(change: Change): Path[] {
  const paths = [pathOf(change.path.segments)];
  if (change.kind === "rename") paths.push(pathOf(change.to.segments));
  return paths;
}

function sourcesOf(change: Change): Path[] {
  const path = pathOf(change.path.segments);
  const sources = conditionsOf(change.path.segments);
  switch (change.kind) {
    case "rename":
    case "pullAll":
    case "addToSet":
      return [...sources, path];
    case "pull":
      return [...sources, path, ...within(path, change.of)];
    case "push":
      return [...sources, ...(change.sort ?? []).map((key) => [...path, ...key.path])];
    default:
      return sources;
  }
}

function kindsOf(change: Change): Path[] {
  const { segments } = change.path;
  const kinds = [pathOf(segments.slice(0, -1))];
  switch (change.kind) {
    case "rename":
      return [...kinds, pathOf(change.to.segments.slice(0, -1))];
    case "inc":
    case "mul":
    case "push":
    case "pop":
      return [...kinds, pathOf(segments)];
    default:
      return kinds;
  }
}

/** What the array filters of a path look at. */
function conditionsOf(segments: readonly Segment[]): Path[] {
  return segments.flatMap((segment, i) =>
    typeof segment === "string" || segment.kind === "every" ? [] : within(pathOf(segments.slice(0, i)), segment.of),
  );
}

function pathOf(segments: readonly Segment[]): Path {
  return segments.filter((segment) => typeof segment === "string");
}

/** The paths of what is asked of the elements at a path. */
function within(path: Path, { path: inner, of }: ElementMatch): Path[] {
  const base = [...path, ...inner];
  return Array.isArray(of) ? of.flatMap((test: Node) => asked(base, test)) : asked(base, of as Node);
}

function asked(base: Path, node: Node): Path[] {
  switch (node.kind) {
    case "true":
    case "false":
      return [];
    case "and":
    case "or":
      return node.of.flatMap((part) => asked(base, part));
    case "not":
      return asked(base, node.of);
    case "elementValue":
    case "elementObject":
      return within(base, node);
    default:
      return [[...base, ...node.path]];
  }
}
