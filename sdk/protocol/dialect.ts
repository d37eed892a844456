import type { Node, Term, Variable } from "./ast.ts";
import type { Path } from "./paths.ts";

/** Where a filter stands; `inside` an `$elemMatch` its paths start at an element. */
export interface FilterPlace {
  readonly at: string;
  readonly depth: number;
  readonly inside: boolean;
}

/** What the parser offers to a dialect. */
export interface FilterReader {
  filter(input: unknown, place: FilterPlace): Node<Term>;
  /** Counts one test; false if it is one too many. */
  count(at: string): boolean;
}

/**
 * What access rules may say beside a client's filter (access-rules.md 3). Only they hand one to the parser; without it a
 * text that starts with `$` is just a string. Faults of an operand are the dialect's to add; it always answers.
 */
export interface Dialect {
  /** The variable that an operand names, or the operand to read as a literal. */
  given(operand: unknown, at: string): unknown;
  /** The variable that is the whole operand of `$in`; undefined if the operand is to be read as a list. */
  list(operand: unknown, at: string): Variable | undefined;
  /** Whether an object is an operand in itself, as a tag is, and no operators. */
  isOperand(object: Readonly<Record<string, unknown>>): boolean;
  /** The path that a key which starts with `$` tests. */
  path(key: string, place: FilterPlace): Path | undefined;
  /** What else a key which starts with `$` says. */
  clause(key: string, operand: unknown, place: FilterPlace, reader: FilterReader): Node<Term> | undefined;
  /** Whether it has said what is wrong with an operator that is not of the language, beside those that are. */
  refuses(operator: string, at: string, known: readonly string[]): boolean;
  /** Notes where a node stands; a constant becomes one of its own. */
  placed(node: Node<Term>, at: string): Node<Term>;
  /** Notes that a node is the negation of another. */
  negated(negation: Node<Term>, node: Node<Term>): void;
  /** Where the element of a list stands. */
  elementAt(at: string, index: number): string;
}
