/** This client's own writes, from the call until every live result holds what came of them; sdk.md 6. Pure. */
import type { Operation } from "../operations.ts";
import { withWrites } from "../pending.ts";
import { versionOf } from "../protocol/delta.ts";
import type { Doc, Json } from "../types/document.ts";

export type Row = Doc<Json>;

/** Operators that would show twice, applied to a document that has them already. */
const TWICE = ["$inc", "$mul", "$push", "$pop"];

/** What is said of a write's document: all of it, its version alone, or that it is gone. */
type Answer = Row | Pick<Row, "_id" | "_v"> | { readonly v?: number } | null;

/** What one operation makes of its document. */
interface Change {
  readonly operation: Operation;
  readonly twice: boolean;
  /** What was stored, once that is known; null: gone. */
  answer: Row | null | undefined;
  /** The version that was stored, where that is all that is known. */
  version: number | undefined;
  /** What it made of what. */
  made: WeakMap<Row, Row>;
  alone: Row | null | undefined;
}

/**
 *   waiting -> sent          it leaves, after earlier writes of its documents
 *   sent -> answered         what was stored takes its place, until results stand where it was stored
 *   any -> gone              refused; or every result has it; or somebody else is signed in
 */
export interface Write {
  readonly changes: readonly Change[];
  readonly collections: ReadonlySet<string>;
  /** When it was called, by the server's clock. */
  readonly now: Date;
  state: "waiting" | "sent" | "answered";
  /** Of its commit. */
  position: string | undefined;
  /** It was not answered in time: whether the results have it is not known any more, so what would show twice is not shown. */
  isInDoubt: boolean;
}

/** A write, and what it does to one document. */
interface Touch {
  readonly write: Write;
  readonly change: Change;
}
export type Touches = readonly Touch[];

/** Whether a result stands where a write was stored, or further on. */
export type Passed = (position: string | undefined) => boolean;

export class Overlay {
  /** In the order of the calls. */
  readonly #writes = new Set<Write>();
  /** The same by collection and id: there may be thousands at once, of as many documents. */
  readonly #touching = new Map<string, Map<string, Touch[]>>();
  /** Documents that were worked out here, and may differ from what is stored. */
  readonly #guesses = new WeakSet<Row>();

  get isEmpty(): boolean {
    return this.#writes.size === 0;
  }

  get writes(): ReadonlySet<Write> {
    return this.#writes;
  }

  begin(operations: readonly Operation[], now: Date): Write {
    const changes = operations.flatMap((operation): Change[] =>
      operation.op === "check"
        ? []
        : [
            {
              ...{ operation, twice: isTwice(operation), answer: undefined, version: undefined },
              ...{ made: new WeakMap(), alone: undefined },
            },
          ],
    );
    const collections = new Set(changes.map(({ operation }) => operation.collection));
    const write: Write = { changes, collections, now, state: "waiting", position: undefined, isInDoubt: false };
    this.#writes.add(write);
    for (const change of changes) {
      const { collection, id } = change.operation;
      const documents = this.#touching.get(collection) ?? new Map<string, Touch[]>();
      this.#touching.set(collection, documents);
      documents.set(id, [...(documents.get(id) ?? []), { write, change }]);
    }
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
      else if (answer && "_createdAt" in answer) change.answer = answer;
      else if (answer) {
        // A batch tells versions alone, and so do answers to who may not get the document. What is not held as a whole is
        // worked out of whatever is held of it.
        const version = "_v" in answer ? answer._v : answer.v;
        const made = version && this.#before(write, collection, id, baseOf(collection, id) ?? null);
        if (made) change.answer = this.#guess({ ...made, _v: version });
        else if (version) Object.assign(change, { version, made: new WeakMap(), alone: undefined });
      }
    }
    write.state = "answered";
    this.#renew(write);
  }

  /** What would show twice is not shown any more. */
  doubt(write: Write): void {
    write.isInDoubt = true;
    this.#renew(write);
  }

  remove(write: Write): void {
    this.#writes.delete(write);
    for (const { operation } of write.changes) {
      const documents = this.#touching.get(operation.collection);
      const left = documents?.get(operation.id)?.filter((touch) => touch.write !== write) ?? [];
      if (left.length > 0) documents?.set(operation.id, left);
      else documents?.delete(operation.id);
    }
  }

  /**
   * Documents of a collection that writes touch, each with what touches it: the same list as long as nothing of it is
   * different.
   */
  touchedIn(collection: string): Iterable<readonly [id: string, touches: Touches]> {
    return this.#touching.get(collection) ?? [];
  }

  /** Whether a result has yet to pass one of them. */
  isOpen(touches: Touches, passed: Passed): boolean {
    return touches.some(({ write }) => !isDone(write, passed));
  }

  /** A document as it is shown: what is held of it, with the writes on top. */
  shown(collection: string, id: string, base: Row | null, passed: Passed): Row | null {
    let document = base;
    for (const { write, change } of this.#touches(collection, id)) {
      if (!isDone(write, passed)) document = this.#after(write, change, document);
    }
    return document;
  }

  /** Whether the writes say all of a document, so that no result has to hold it. */
  tells(collection: string, id: string, passed: Passed): boolean {
    return this.#touches(collection, id).some(({ write, change }) => {
      const { op } = change.operation;
      return !isDone(write, passed) && (change.answer || op === "create" || op === "set");
    });
  }

  /** Whether news of a document must wait: it may hold what a write on its way shows already. */
  holdsBack(collection: string, id: string): boolean {
    return this.#touches(collection, id).some(
      ({ write, change }) => change.twice && write.state === "sent" && !write.isInDoubt,
    );
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
    const touches = this.#touches(collection, id);
    const end = touches.map(({ write }) => write).lastIndexOf(last);
    return touches
      .slice(0, end + 1)
      .reduce((document, { write, change }) => this.#after(write, change, document), base);
  }

  /** Something about it is different. */
  #renew({ changes }: Write): void {
    for (const { operation } of changes) {
      const documents = this.#touching.get(operation.collection);
      const touches = documents?.get(operation.id);
      if (touches) documents?.set(operation.id, [...touches]);
    }
  }

  /** In the order of the calls. */
  #touches(collection: string, id: string): readonly Touch[] {
    return this.#touching.get(collection)?.get(id) ?? [];
  }

  #after(write: Write, change: Change, document: Row | null): Row | null {
    const { version } = change;
    if (version) {
      if (document && versionOf(document._v) >= versionOf(version)) return document;
    } else if (write.state === "answered") return newer(document, change.answer);
    else if (write.isInDoubt && change.twice) return document;
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

  #applied({ now, changes }: Write, { operation, version }: Change, document: Row | null): Row | null {
    const { op, ifVersion, upsert, collection, id } = operation;
    let operations = [operation];
    if (version) {
      // It was stored with all that its batch does to this document.
      operations = changes.map((one) => one.operation).filter((one) => one.collection === collection && one.id === id);
    } else {
      // What will be refused changes nothing, and of what is not held nobody knows whether it is there.
      if (op === "create" && document) return document;
      if (document === null && op === "update" && (!upsert || ifVersion !== 0)) return null;
      if (ifVersion !== undefined && document && !this.isGuess(document) && versionOf(document._v) !== ifVersion) {
        return document;
      }
    }
    try {
      const made = withWrites(document, operations, now);
      return made && this.#guess(version ? { ...made, _v: version } : made);
    } catch {
      return document;
    }
  }

  #guess(row: Row): Row {
    this.#guesses.add(row);
    return row;
  }
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
