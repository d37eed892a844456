import type { Value } from "#protocol/values";
import { compareEdges, type Edge, isBefore, isPast, type Order, type Span } from "./edges.ts";

/**
 * Spans of one class with their items: an AVL tree by where they begin, each node knowing the furthest end below it. So
 * the spans that values meet are found in O(log spans + found).
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

  #meeting(node: Node<E> | undefined, least: Value, greatest: Value, visit: (item: E) => void): void {
    if (!node || !isBefore(this.#order, node.furthest, least)) return;
    this.#meeting(node.left, least, greatest, visit);
    if (!isPast(this.#order, node.span.from, greatest)) return;
    if (isBefore(this.#order, node.span.to, least)) node.items.forEach(visit);
    this.#meeting(node.right, least, greatest, visit);
  }

  #with(node: Node<E> | undefined, span: Span, item: E): Node<E> {
    if (!node) {
      return { span, items: new Set([item]), left: undefined, right: undefined, height: 1, furthest: span.to };
    }
    const order = this.#compare(span, node.span);
    if (order < 0) node.left = this.#with(node.left, span, item);
    else if (order > 0) node.right = this.#with(node.right, span, item);
    else {
      node.items.add(item);
      return node;
    }
    return this.#balanced(node);
  }

  #without(node: Node<E> | undefined, span: Span, item: E): Node<E> | undefined {
    if (!node) return undefined;
    const order = this.#compare(span, node.span);
    if (order < 0) node.left = this.#without(node.left, span, item);
    else if (order > 0) node.right = this.#without(node.right, span, item);
    else {
      node.items.delete(item);
      if (node.items.size > 0) return node;
      if (!node.left || !node.right) return node.left ?? node.right;
      return this.#replaced(node.left, node.right);
    }
    return this.#balanced(node);
  }

  /** Two subtrees under the first node of the right one. */
  #replaced(left: Node<E>, right: Node<E>): Node<E> {
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
    node.height = 1 + Math.max(heightOf(node.left), heightOf(node.right));
    node.furthest = this.#further(this.#further(node.span.to, node.left), node.right);
    return node;
  }

  #further(to: Edge | undefined, below: Node<E> | undefined): Edge | undefined {
    if (!below || !to) return to;
    return !below.furthest || compareEdges(this.#order, below.furthest, to) > 0 ? below.furthest : to;
  }

  #compare(a: Span, b: Span): number {
    return this.#place(a.from, b.from, -1) || this.#place(a.to, b.to, 1);
  }

  /** @param absent where an absent edge stands: -1 before all, 1 after all */
  #place(a: Edge | undefined, b: Edge | undefined, absent: number): number {
    if (a && b) return compareEdges(this.#order, a, b);
    if (!a && !b) return 0;
    return a ? -absent : absent;
  }
}

interface Node<E> {
  readonly span: Span;
  readonly items: Set<E>;
  left: Node<E> | undefined;
  right: Node<E> | undefined;
  height: number;
  /** The furthest end of this node and all below it; undefined is the furthest of all. */
  furthest: Edge | undefined;
}

function heightOf(node: { readonly height: number } | undefined): number {
  return node?.height ?? 0;
}
