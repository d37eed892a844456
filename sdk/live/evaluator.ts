/** What a list question says of a document, by the language's own code; sdk.md 6. */
import type { Key } from "../protocol/compare.ts";
import { Faults } from "../protocol/errors.ts";
import { parseFilter } from "../protocol/filter.ts";
import { compileFilter } from "../protocol/match.ts";
import { parseSelect, project } from "../protocol/select.ts";
import { compareKeys, parseSort, sortKeyOf } from "../protocol/sort.ts";
import type { ObjectValue } from "../protocol/values.ts";
import type { Row } from "./overlay.ts";
import type { Watched } from "./question.ts";

/** Rows of a list where nothing else is said; query-language.md 5. */
const DEFAULT_LIMIT = 50;

export class Evaluator {
  readonly limit: number;
  /** Rows hold the whole document, as far as it may be read. */
  readonly isWhole: boolean;
  /** Rows hold what they are sorted by. */
  readonly isOrdered: boolean;
  readonly #accepts: (document: ObjectValue) => boolean;
  readonly #sort: ReturnType<typeof parseSort>;
  readonly #select: ReturnType<typeof parseSelect> | undefined;
  readonly #keys = new WeakMap<Row, Key[]>();
  readonly #projected = new WeakMap<Row, Row>();

  /** @returns undefined for what is no list */
  static of({ shows, limit, filter, shape }: Watched): Evaluator | undefined {
    if (shows === "value") return undefined;
    const faults = new Faults();
    const evaluator = new Evaluator(filter, shape, limit ?? DEFAULT_LIMIT, faults);
    // The server is about to refuse it.
    return faults.list.length === 0 ? evaluator : undefined;
  }

  private constructor(filter: unknown, { sort, select }: Watched["shape"], limit: number, faults: Faults) {
    this.limit = limit;
    this.#sort = parseSort(sort, "sort", faults);
    this.#select = select === undefined ? undefined : parseSelect(select, "select", faults);
    const node = parseFilter(filter, "filter", faults);
    this.#accepts = faults.list.length === 0 ? compileFilter(node) : () => false;
    this.isWhole = this.#select === undefined;
    const selected = this.#select?.map((path) => `${path.join(".")}.`) ?? [];
    const holds = (path: readonly string[]) =>
      path[0] === "_id" || selected.some((prefix) => `${path.join(".")}.`.startsWith(prefix));
    this.isOrdered = this.isWhole || this.#sort.every(({ path }) => holds(path));
  }

  accepts(document: Row): boolean {
    return this.#accepts(document as ObjectValue) && this.#keyOf(document) !== undefined;
  }

  /** Orders two documents as the list does: negative if `a` comes first. */
  compare(a: Row, b: Row): number {
    return compareKeys(this.#sort, this.#keyOf(a) ?? [], this.#keyOf(b) ?? []);
  }

  /** As a row of the result shows it; the same object for the same document. */
  project(document: Row): Row {
    if (!this.#select) return document;
    const known = this.#projected.get(document);
    if (known) return known;
    const made = project(document as ObjectValue, this.#select) as ObjectValue as Row;
    this.#projected.set(document, made);
    return made;
  }

  #keyOf(document: Row): Key[] | undefined {
    const known = this.#keys.get(document);
    if (known) return known;
    const key = sortKeyOf(this.#sort, document as ObjectValue);
    if (key) this.#keys.set(document, key);
    return key;
  }
}
