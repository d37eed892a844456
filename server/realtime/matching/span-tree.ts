import type { Value } from "#protocol/values";
import type { Edge, Order, Span } from "./edges.ts";
import { eachItem, type Items, withItem, withoutItem } from "./items.ts";

/**
 * Spans of one class with their items: an AVL tree by where they begin, each node knowing the furthest ends below it.
 * So the spans that values meet are found in O(log spans + found).
 */
export class SpanTree<E extends object> {
  readonly #order: Order;
  #root: Node<E> | undefined;

  constructor(order: Order) {
    this.#order = order;
  }

  get empty(): boolean {
    return this.#root === undefined;
  }

  add(span: Span, item: E): void {
    this.#root = this.#with(this.#root, span, item);
  }

  remove(span: Span, item: E): void {
    this.#root = this.#without(this.#root, span, item);
  }

  /**
   * Visits the items of every span that the greatest value lies past the beginning of, and the least before the end. Two
   * tests on one path are independent, so an array that passes both may have no element between the bounds.
   */
  meeting(least: Value, greatest: Value, visit: (item: E) => void): void {
    this.#meeting(this.#root, least, greatest, visit);
  }

  #meeting(start: Node<E> | undefined, least: Value, greatest: Value, visit: (item: E) => void): void {
    let node = start;
    while (node) {
      const { left, right } = node;
      if (left && this.#ends(node.furthestLeft, node.furthestLeftAfter, least)) {
        this.#meeting(left, least, greatest, visit);
      }
      if (!this.#begins(node.from, node.fromAfter, greatest)) return;
      if (this.#ends(node.to, node.toAfter, least)) eachItem(node.items, visit);
      node = right && this.#ends(node.furthestRight, node.furthestRightAfter, least) ? right : undefined;
    }
  }

  /** Whether a value stands after the edge that a span begins with. */
  #begins(from: Value | undefined, after: boolean, value: Value): boolean {
    if (from === undefined) return true;
    const place = this.#order(value, from);
    return place > 0 || (place === 0 && !after);
  }

  /** Whether a value stands before the edge that spans end with. */
  #ends(to: Value | undefined, after: boolean, value: Value): boolean {
    if (to === undefined) return true;
    const place = this.#order(value, to);
    return place < 0 || (place === 0 && after);
  }

  #with(node: Node<E> | undefined, span: Span, item: E): Node<E> {
    if (!node) return newNode(span, item);
    const order = this.#compare(span, node);
    if (order < 0) node.left = this.#with(node.left, span, item);
    else if (order > 0) node.right = this.#with(node.right, span, item);
    else {
      node.items = withItem(node.items, item);
      return node;
    }
    return this.#balanced(node);
  }

  #without(node: Node<E> | undefined, span: Span, item: E): Node<E> | undefined {
    if (!node) return undefined;
    const order = this.#compare(span, node);
    if (order < 0) node.left = this.#without(node.left, span, item);
    else if (order > 0) node.right = this.#without(node.right, span, item);
    else {
      const left = withoutItem(node.items, item);
      if (left !== undefined) {
        node.items = left;
        return node;
      }
      if (!node.left || !node.right) return node.left ?? node.right;
      return this.#joined(node.left, node.right);
    }
    return this.#balanced(node);
  }

  /** Two subtrees under the first node of the right one. */
  #joined(left: Node<E>, right: Node<E>): Node<E> {
    let first = right;
    while (first.left) first = first.left;
    first.right = this.#withoutFirst(right);
    first.left = left;
    return this.#balanced(first);
  }

  #withoutFirst(node: Node<E>): Node<E> | undefined {
    if (!node.left) return node.right;
    node.left = this.#withoutFirst(node.left);
    return this.#balanced(node);
  }

  #balanced(node: Node<E>): Node<E> {
    const lean = heightOf(node.left) - heightOf(node.right);
    if (lean > 1 && node.left) {
      if (heightOf(node.left.left) < heightOf(node.left.right)) node.left = this.#turnedLeft(node.left);
      return this.#turnedRight(node);
    }
    if (lean < -1 && node.right) {
      if (heightOf(node.right.right) < heightOf(node.right.left)) node.right = this.#turnedRight(node.right);
      return this.#turnedLeft(node);
    }
    return this.#measured(node);
  }

  #turnedRight(node: Node<E>): Node<E> {
    const top = node.left as Node<E>;
    node.left = top.right;
    top.right = this.#measured(node);
    return this.#measured(top);
  }

  #turnedLeft(node: Node<E>): Node<E> {
    const top = node.right as Node<E>;
    node.right = top.left;
    top.left = this.#measured(node);
    return this.#measured(top);
  }

  #measured(node: Node<E>): Node<E> {
    const { left, right } = node;
    node.height = 1 + Math.max(heightOf(left), heightOf(right));
    if (left) [node.furthestLeft, node.furthestLeftAfter] = this.#furthest(left);
    if (right) [node.furthestRight, node.furthestRightAfter] = this.#furthest(right);
    return node;
  }

  /** The furthest end of a node and all below it. */
  #furthest(node: Node<E>): readonly [to: Value | undefined, after: boolean] {
    let [to, after] = [node.to, node.toAfter];
    if (node.left && this.#place(node.furthestLeft, node.furthestLeftAfter, to, after, 1) > 0) {
      [to, after] = [node.furthestLeft, node.furthestLeftAfter];
    }
    if (node.right && this.#place(node.furthestRight, node.furthestRightAfter, to, after, 1) > 0) {
      [to, after] = [node.furthestRight, node.furthestRightAfter];
    }
    return [to, after];
  }

  #compare({ from, to }: Span, node: Node<E>): number {
    return (
      this.#place(from?.value, isAfter(from), node.from, node.fromAfter, -1) ||
      this.#place(to?.value, isAfter(to), node.to, node.toAfter, 1)
    );
  }

  /** Orders two edges. @param absent where an absent one stands: -1 before all, 1 after all */
  #place(a: Value | undefined, aAfter: boolean, b: Value | undefined, bAfter: boolean, absent: number): number {
    if (a === undefined || b === undefined) return a === b ? 0 : a === undefined ? absent : -absent;
    return this.#order(a, b) || Number(aAfter) - Number(bAfter);
  }
}

/**
 * What a search looks at lies flat in it, also what it has to know of the nodes below before it goes there: each look at
 * another object may miss the processor's cache.
 */
interface Node<E extends object> {
  readonly from: Value | undefined;
  readonly fromAfter: boolean;
  readonly to: Value | undefined;
  readonly toAfter: boolean;
  left: Node<E> | undefined;
  right: Node<E> | undefined;
  /** The furthest end on that side, if there is anything; undefined is the furthest of all. */
  furthestLeft: Value | undefined;
  furthestLeftAfter: boolean;
  furthestRight: Value | undefined;
  furthestRightAfter: boolean;
  items: Items<E>;
  height: number;
}

function newNode<E extends object>({ from, to }: Span, item: E): Node<E> {
  return {
    from: from?.value,
    fromAfter: isAfter(from),
    to: to?.value,
    toAfter: isAfter(to),
    left: undefined,
    right: undefined,
    furthestLeft: undefined,
    furthestLeftAfter: false,
    furthestRight: undefined,
    furthestRightAfter: false,
    items: item,
    height: 1,
  };
}

function isAfter(edge: Edge | undefined): boolean {
  return edge?.after ?? false;
}

function heightOf(node: { readonly height: number } | undefined): number {
  return node?.height ?? 0;
}
