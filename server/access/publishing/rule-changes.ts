import { isObjectValue } from "#protocol/values";

/** One place where two sets of rules differ. */
export interface RuleChange {
  /** As in `collections.posts.list.authorId`. */
  readonly path: string;
  readonly kind: "added" | "removed" | "changed";
  /** What was and is there, unless it is long. */
  readonly before?: unknown;
  readonly after?: unknown;
}

/** Changes that are told; more of them say nothing that reading the sets would not say better. */
const MAX_CHANGES = 100;
/** Characters of a value, as JSON, that is told along. */
const MAX_VALUE = 500;

/** Where two sets of rules, as they were sent, differ: by the deepest paths that tell it, in the order of the first. */
export function ruleChanges(before: unknown, after: unknown): readonly RuleChange[] {
  const changes: RuleChange[] = [];
  compare(before, after, "", changes);
  return changes;
}

function compare(before: unknown, after: unknown, path: string, changes: RuleChange[]): void {
  if (changes.length >= MAX_CHANGES) return;
  if (isObjectValue(before) && isObjectValue(after)) {
    const names = new Set([...Object.keys(before), ...Object.keys(after)]);
    for (const name of names)
      compare(ownOf(before, name), ownOf(after, name), path ? `${path}.${name}` : name, changes);
    return;
  }
  const [was, is] = [JSON.stringify(before), JSON.stringify(after)];
  if (was === is) return;
  changes.push({
    path,
    kind: was === undefined ? "added" : is === undefined ? "removed" : "changed",
    ...(was !== undefined && was.length <= MAX_VALUE && { before }),
    ...(is !== undefined && is.length <= MAX_VALUE && { after }),
  });
}

function ownOf(object: object, name: string): unknown {
  return Object.hasOwn(object, name) ? (object as Record<string, unknown>)[name] : undefined;
}
