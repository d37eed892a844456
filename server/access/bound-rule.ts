import { FALSE, type Leaf, type Node, type Term, type Variable } from "#protocol/ast";
import { compileFilter } from "#protocol/match";
import { compileTextFilter } from "#protocol/members-of-text";
import { normalise } from "#protocol/normalise";
import type { Document, ObjectValue } from "#protocol/values";
import { bind, HAS, isClosed } from "./bind.ts";
import { valueAt } from "./caller.ts";
import type { Lookup, Rule, RuleNode } from "./rule-tree.ts";

/** The images that a rule judges: what is stored, or what would be, and for `update.after` what was there before. */
export interface Images {
  readonly image: Valued;
  readonly before?: Valued;
}

/** Its value is read from its text only where it is asked for. */
interface Valued {
  readonly value: Document;
  /** Its canonical text, as long as its value was not read. */
  readonly unread?: string | undefined;
}

/** Answers exists lookups of one request. Undefined: not read yet, and noted to be; null: poisoned. */
export type Has = (lookup: Lookup, document: Document) => boolean | null | undefined;

/** A rule as it holds for one caller. */
export class BoundRule {
  readonly rule: Rule;
  /** What is left of the rule; its places are those of `rule` where a node is the same. */
  readonly node: RuleNode;
  #filter: Node | undefined;
  #test: ((document: ObjectValue) => boolean) | undefined;
  #testText: ((text: string) => boolean) | undefined;

  constructor(rule: Rule, node: RuleNode) {
    this.rule = rule;
    this.node = node;
  }

  /** No document passes it, whatever stands in it. */
  get never(): boolean {
    return this.node.kind === "false";
  }

  /** Every document passes it. */
  get always(): boolean {
    return this.node.kind === "true";
  }

  /** For a query. Rules of `list` are always closed: rules.ts refuses what asks more than the document's own fields there. */
  get filter(): Node {
    if (!isClosed(this.node)) throw new Error(`${this.rule.at} asks for more than a query can tell`);
    this.#filter ??= normalise(this.node);
    return this.#filter;
  }

  /** @returns undefined if a lookup has to be read first, which `has` was told */
  holds(images: Images, has: Has): boolean | undefined {
    if (this.always) return true;
    if (this.never) return false;
    if (isClosed(this.node)) {
      const { unread } = images.image;
      if (unread !== undefined) {
        this.#testText ??= compileTextFilter(this.filter);
        return this.#testText(unread);
      }
      this.#test ??= compileFilter(this.filter);
      return this.#test(images.image.value);
    }
    const { value } = images.image;
    return evaluate(boundTo(this.node, images), value, (name) => has(this.#lookup(name), value));
  }

  #lookup(name: string): Lookup {
    const lookup = this.rule.lookups.get(name);
    if (!lookup) throw new Error(`${this.rule.at} uses a lookup that is not there: ${name}`);
    return lookup;
  }
}

/** `$before.…` of `update.after` becomes what stood there. */
function boundTo(node: RuleNode, { before }: Images): RuleNode {
  const value = ({ name }: Variable) => (before ? valueAt(before.value, name.split(".").slice(1)) : null);
  return bind(node, {
    facts: {},
    value,
    values(variable) {
      const found = value(variable);
      return Array.isArray(found) ? found : null;
    },
  });
}

/**
 * The `where` of an exists lookup for one document. Arrays and objects are no values there (access-rules.md 3). Null: it is
 * FALSE because the document has no value.
 */
export function whereFor(where: RuleNode, document: Document): Node | null {
  let poisoned = false;
  const bound = bind(where, {
    facts: {},
    value({ name }) {
      const found = valueAt(document, name.split(".").slice(1));
      return typeof found === "object" && found !== null && !isScalarObject(found) ? null : found;
    },
    values: () => null,
    poisoned() {
      poisoned = true;
    },
  });
  if (poisoned && bound.kind === "false") return null;
  return isClosed(bound) ? normalise(bound) : FALSE;
}

/** Dates and bytes are objects of JavaScript, and plain values of the language. */
function isScalarObject(value: object): boolean {
  return value instanceof Date || value instanceof Uint8Array;
}

const tests = new WeakMap<Node, (document: ObjectValue) => boolean>();

type HasName = (name: string) => boolean | null | undefined;

/** Three-valued, so that a lookup is read only where the rest leaves the verdict open. */
function evaluate(node: RuleNode, document: Document, has: HasName): boolean | undefined {
  switch (node.kind) {
    case "true":
      return true;
    case "false":
      return false;
    case "and":
    case "or": {
      const absorbing = node.kind === "or";
      // What costs nothing comes first.
      const verdicts = node.of.map((part) => (asks(part) ? undefined : evaluate(part, document, has)));
      if (verdicts.includes(absorbing)) return absorbing;
      let open = false;
      for (const part of node.of) {
        if (!asks(part)) continue;
        const verdict = evaluate(part, document, has);
        if (verdict === absorbing) return absorbing;
        if (verdict === undefined) open = true;
      }
      return open ? undefined : !absorbing;
    }
    case "not": {
      const verdict = evaluateLeaf(node.of, document, has);
      // A poisoned lookup is false also where it is negated (access-rules.md 4.2).
      return verdict === null ? false : verdict === undefined ? undefined : !verdict;
    }
    default: {
      const verdict = evaluateLeaf(node, document, has);
      return verdict === null ? false : verdict;
    }
  }
}

function evaluateLeaf(leaf: Leaf<Term>, document: Document, has: HasName): boolean | null | undefined {
  const [head, name] = leaf.path;
  if (head === HAS) return has(name as string);
  if (!isClosed(leaf)) return null;
  const test = tests.get(leaf) ?? compileFilter(leaf);
  tests.set(leaf, test);
  return test(document);
}

function asks(node: RuleNode): boolean {
  switch (node.kind) {
    case "true":
    case "false":
      return false;
    case "and":
    case "or":
      return node.of.some(asks);
    case "not":
      return node.of.path[0] === HAS;
    default:
      return node.path[0] === HAS;
  }
}

/** What there is where no rule is. */
export const CLOSED_RULE = new BoundRule(ruleOf(FALSE), FALSE);

function ruleOf(node: Node): Rule {
  return { at: "", node, variables: [], perDocument: false, lookups: new Map() };
}
