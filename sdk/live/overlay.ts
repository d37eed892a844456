/** This client's own writes, from the call until every live result holds what came of them; sdk.md 6. Pure. */
import type { Operation } from "../operations.ts";
import { withWrites } from "../pending.ts";
import { versionOf } from "../protocol/delta.ts";
import type { Doc, Json } from "../types/document.ts";

export type Row = Doc<Json>;

/** Operators that would show twice, applied to a document that has them already. */
const TWICE = ["$inc", "$mul", "$push", "$pop"];

/** What is said of a write's document: all of it, its version alone, or that it is gone. */
type Answer = Row | { readonly v?: number } | null;

/** What one operation makes of its document. */
interface Change {
  readonly operation: Operation;
  readonly twice: boolean;
  /** What was stored, once that is known; null: gone. */
  answer: Row | null | undefined;
  /** What it made of what. */
  readonly made: WeakMap<Row, Row>;
  alone: Row | null | undefined;
}

/**
 *   waiting -> sent          it leaves, after earlier writes of its documents
 *   sent -> answered         what was stored takes its place, until results stand where it was stored
 *   any -> gone              refused; or every result has it; or somebody else is signed in
 */
export interface Write {
  readonly changes: readonly Change[];
  /** When it was called, by the server's clock. */
  readonly now: Date;
  state: "waiting" | "sent" | "answered";
  /** Of its commit. */
  position: string | undefined;
  /** It was not answered in time: whether the results have it is not known any more, so what would show twice is not shown. */
  isInDoubt: boolean;
}

/** Whether a result stands where a write was stored, or further on. */
export type Passed = (position: string | undefined) => boolean;

export class Overlay {
  /** In the order of the calls. */
  readonly #writes = new Set<Write>();
  /** Documents that were worked out here, and may differ from what is stored. */
  readonly #guesses = new WeakSet<Row>();

  get isEmpty(): boolean {
    return this.#writes.size === 0;
  }

  get writes(): ReadonlySet<Write> {
    return this.#writes;
  }

  /** Collections that a write touches. */
  static collectionsOf({ changes }: Write): ReadonlySet<string> {
    return new Set(changes.map(({ operation }) => operation.collection));
  }

  begin(operations: readonly Operation[], now: Date): Write {
    const changes = operations.flatMap((operation): Change[] =>
      operation.op === "check"
        ? []
        : [{ operation, twice: isTwice(operation), answer: undefined, made: new WeakMap(), alone: undefined }],
    );
    const write: Write = { changes, now, state: "waiting", position: undefined, isInDoubt: false };
    this.#writes.add(write);
    return write;
  }

  /**
   * @param answers one of each operation
   * @param baseOf what results hold of a document, the newest
   */
  answer(
    write: Write,
    operations: readonly Operation[],
    answers: readonly unknown[],
    baseOf: (collection: string, id: string) => Row | undefined,
  ): void {
    const byOperation = new Map(operations.map((operation, i) => [operation, answers[i]]));
    for (const change of write.changes) {
      const { collection, id, op } = change.operation;
      const answer = byOperation.get(change.operation) as Answer;
      if (op === "delete") change.answer = null;
      else if (answer && "_id" in answer) change.answer = answer;
      else if (answer?.v) {
        // A batch tells versions alone. What is not held stays away until the server tells of it.
        const made = this.#before(write, collection, id, baseOf(collection, id) ?? null);
        if (made) change.answer = this.#guess({ ...made, _v: answer.v });
      }
    }
    write.state = "answered";
  }

  remove(write: Write): void {
    this.#writes.delete(write);
  }

  clear(): void {
    this.#writes.clear();
  }

  /** Documents of a collection that writes touch which a result has not passed. */
  idsIn(collection: string, passed: Passed): Set<string> {
    const ids = new Set<string>();
    for (const write of this.#writes) {
      if (isDone(write, passed)) continue;
      for (const { operation } of write.changes) if (operation.collection === collection) ids.add(operation.id);
    }
    return ids;
  }

  /** A document as it is shown: what is held of it, with the writes on top. */
  shown(collection: string, id: string, base: Row | null, passed: Passed): Row | null {
    let document = base;
    for (const write of this.#writes) {
      if (isDone(write, passed)) continue;
      for (const change of write.changes) {
        if (isOf(change, collection, id)) document = this.#after(write, change, document);
      }
    }
    return document;
  }

  /** Whether the writes say all of a document, so that no result has to hold it. */
  tells(collection: string, id: string, passed: Passed): boolean {
    for (const write of this.#writes) {
      if (isDone(write, passed)) continue;
      for (const change of write.changes) {
        const { op } = change.operation;
        if (isOf(change, collection, id) && (change.answer || op === "create" || op === "set")) return true;
      }
    }
    return false;
  }

  /** Whether news of a document must wait: it may hold what a write on its way shows already. */
  holdsBack(collection: string, id: string): boolean {
    for (const { state, isInDoubt, changes } of this.#writes) {
      if (state !== "sent" || isInDoubt) continue;
      if (changes.some((change) => change.twice && isOf(change, collection, id))) return true;
    }
    return false;
  }

  /** What is a part of another row is worked out here if that one was. */
  partOf(whole: Row, part: Row): Row {
    return this.isGuess(whole) ? this.#guess(part) : part;
  }

  /** Whether it was worked out here. */
  isGuess(row: Row): boolean {
    return this.#guesses.has(row);
  }

  /** What a document was before one of the writes was answered, and with that write. */
  #before(last: Write, collection: string, id: string, base: Row | null): Row | null {
    let document = base;
    for (const write of this.#writes) {
      for (const change of write.changes) {
        if (isOf(change, collection, id)) document = this.#after(write, change, document);
      }
      if (write === last) break;
    }
    return document;
  }

  #after(write: Write, change: Change, document: Row | null): Row | null {
    if (write.state === "answered") return newer(document, change.answer);
    if (write.isInDoubt && change.twice) return document;
    if (document === null) {
      change.alone ??= this.#applied(write, change, null);
      return change.alone;
    }
    const known = change.made.get(document);
    if (known) return known;
    const made = this.#applied(write, change, document);
    if (made) change.made.set(document, made);
    return made;
  }

  #applied({ now }: Write, { operation }: Change, document: Row | null): Row | null {
    const { op, ifVersion, upsert } = operation;
    // What will be refused changes nothing, and of what is not held nobody knows whether it is there.
    if (op === "create" && document) return document;
    if (document === null && op === "update" && (!upsert || ifVersion !== 0)) return null;
    if (ifVersion !== undefined && document && !this.isGuess(document) && versionOf(document._v) !== ifVersion) {
      return document;
    }
    try {
      const made = withWrites(document, [operation], now);
      return made && this.#guess(made);
    } catch {
      return document;
    }
  }

  #guess(row: Row): Row {
    this.#guesses.add(row);
    return row;
  }
}

function isOf({ operation }: Change, collection: string, id: string): boolean {
  return operation.id === id && operation.collection === collection;
}

/** Whether a result needs a write no more. */
function isDone({ state, position }: Write, passed: Passed): boolean {
  return state === "answered" && passed(position);
}

function newer(held: Row | null, answer: Row | null | undefined): Row | null {
  if (answer === undefined) return held;
  return held && answer && versionOf(held._v) >= versionOf(answer._v) ? held : answer;
}

function isTwice({ op, content }: Operation): boolean {
  return op === "update" && Object.keys(JSON.parse(content ?? "{}")).some((key) => TWICE.includes(key));
}
