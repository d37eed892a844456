import type { Node, Term } from "#protocol/ast";
import type { Path } from "#protocol/paths";
import type { Value } from "#protocol/values";

/**
 * Access rules as rules.ts reads them: frozen, the same for every caller (access-rules.md 2). Macros are expanded and
 * negation stands at the leaves. bind.ts makes filters of them for one caller.
 */
export interface RuleSet {
  /** 0: none was published. */
  readonly version: number;
  readonly collections: ReadonlyMap<string, CollectionRules>;
  readonly buckets: ReadonlyMap<string, BucketRules>;
  /** Collections that a lookup reads: writing to one changes rights (access-rules.md 5.6). */
  readonly rightsCollections: ReadonlySet<string>;
  /** Where a node of a rule stands in the set, as in `posts.update.before.$use(author).authorId`. */
  placeOf(node: RuleNode): string | undefined;
}

export interface CollectionRules {
  readonly name: string;
  readonly list: Rule;
  readonly get: Rule;
  readonly create: Rule;
  readonly update: { readonly before: Rule; readonly after: Rule };
  readonly delete: Rule;
  readonly fields: readonly FieldRule[];
}

/** As a collection's; `document` judges by the document that a file belongs to (files.md). */
export interface BucketRules {
  readonly name: string;
  readonly list: Rule | "document";
  readonly get: Rule | "document";
  readonly create: Rule | "document";
  readonly update: { readonly before: Rule; readonly after: Rule } | "document";
  readonly delete: Rule | "document";
}

/**
 * A filter with variables. Beside paths of the document it may test the caller: a path that starts with `$auth` or
 * `$request`, or an exists lookup: `{kind: "exists", path: ["$has", name]}`.
 */
export type RuleNode = Node<Term>;

export interface Rule {
  /** As in `posts.list`. */
  readonly at: string;
  readonly node: RuleNode;
  /** Names of the caller's variables it uses, as in `$auth.id`, `$request.ip`, `$now`, `$lookup.mine`; sorted, each once. */
  readonly variables: readonly string[];
  /** Whether it asks for more than the document's own fields: `$before`, `$has`. */
  readonly perDocument: boolean;
  /** The lookups that it uses, and those that their `where` uses, by name. */
  readonly lookups: ReadonlyMap<string, Lookup>;
}

/** access-rules.md 5. With `select` a set lookup, whose values are a variable; without, an exists lookup. */
export interface Lookup {
  readonly name: string;
  readonly at: string;
  readonly from: string;
  readonly where: RuleNode;
  /** As {@link Rule.variables}, `$doc` left out. */
  readonly variables: readonly string[];
  readonly select?: Path;
  /** Values at most; more poison it. */
  readonly max: number;
}

/** A field mask (access-rules.md 6). Covers everything beneath its path. */
export interface FieldRule {
  readonly at: string;
  readonly path: Path;
  readonly read: Rule;
  /** Undefined: whoever may read it may write it. */
  readonly write: Rule | undefined;
  readonly immutable: boolean;
  /** Filled in on create where the caller left the field out. */
  readonly default: Term | undefined;
}

/** A field mask for one caller. Its filters are closed and normalised. */
export interface BoundField {
  readonly path: Path;
  readonly read: Node;
  readonly write: Node | undefined;
  readonly immutable: boolean;
  /** Undefined also where the variable has no value for this caller. */
  readonly default: Value | undefined;
}
