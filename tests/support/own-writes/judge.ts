/** What live results may show of own writes, at each state and at rest, in plain code. */
import type { LiveState } from "@galley/sdk";
import type { Item, Operation, Question, Stored } from "./stored.ts";

/** An own write, as far as it has come. */
export interface Own {
  readonly operations: readonly Operation[];
  /** `told`: of its refusal, and what it showed is about to go. */
  stage: "called" | "stored" | "refused" | "told" | "ended";
  /** Its answer is on the way through the client. */
  isAnswered: boolean;
  /** Its answer holds the document, not its version alone. */
  isToldWhole: boolean;
  /** What each document became by it, once it is stored. */
  readonly versions: Map<string, number>;
}

interface Reading {
  readonly rows: readonly Item[];
  readonly fault: (text: string) => void;
}

/** Watches one question. */
export class Judge {
  readonly question: Question;
  state: LiveState<unknown[]> | undefined;
  /** A write was refused whose effect it may still show. */
  mayFall = false;
  readonly #stored: Stored;
  readonly #own: readonly Own[];
  readonly #counters: readonly string[];
  readonly #fault: (text: string) => void;
  /** What each counter showed last. */
  readonly #counted = new Map<string, number>();
  /** Documents of the last state that the server has told of. */
  #shown: ReadonlySet<string> = new Set();

  constructor(
    question: Question,
    given: {
      readonly stored: Stored;
      /** In the order of the calls. */
      readonly own: readonly Own[];
      /** Documents that are only ever counted up. */
      readonly counters: readonly string[];
      readonly fault: (text: string) => void;
    },
  ) {
    this.question = question;
    this.#stored = given.stored;
    this.#own = given.own;
    this.#counters = given.counters;
    this.#fault = (text) => given.fault(`${question.name}: ${text}: ${JSON.stringify(this.state?.data)}`);
  }

  /** Judges a new state. */
  told(state: LiveState<unknown[]>): void {
    this.state = state;
    const mayFall = this.mayFall;
    this.mayFall &&= this.#own.some(({ stage }) => stage === "told");
    if (!state.data) return;
    const { question } = this;
    const reading: Reading = { rows: state.data as Item[], fault: this.#fault };
    this.#order(reading);
    this.#demandNewest(reading);
    if (question.options.select) return;
    for (const id of this.#counters) {
      const row = reading.rows.find(({ _id }) => _id === id);
      if (row) this.#count(row, mayFall);
      // It has left the list, and may come back with less.
      else if (mayFall) this.#counted.delete(id);
    }
    if (question.name !== "all") return;
    this.#demandMade(reading);
    this.#demandShown(reading);
  }

  /** Everything has arrived: what is wrong if what is shown is not what is stored. */
  get unrest(): string | undefined {
    const { question, state } = this;
    const right = JSON.stringify(this.#stored.list(question).rows.map(question.shown));
    const told = JSON.stringify(state?.data);
    if (state?.synced && !state.pending && told === right) return undefined;
    return `${question.name}: ends with ${told} for ${right}, synced ${state?.synced}, pending ${state?.pending}`;
  }

  #order({ rows, fault }: Reading): void {
    const { question } = this;
    if (rows.length > question.limit) fault("is longer than it may be");
    if (new Set(rows.map(({ _id }) => _id)).size < rows.length) fault("shows a document twice");
    if (question.options.select) return;
    for (const [i, row] of rows.entries()) {
      if (!question.accepts(row)) fault(`shows ${row._id}, which does not match`);
      if (i > 0 && !question.before(rows[i - 1] as Item, row)) fault(`shows ${row._id} out of order`);
    }
  }

  /** A counter never shows more than can be true, and never falls back unless a write was refused. */
  #count({ _id, n }: Item, mayFall: boolean): void {
    let most = this.#stored.items.get(_id)?.n ?? 0;
    for (const { stage, operations } of this.#own) {
      if (stage === "stored" || stage === "ended") continue;
      for (const one of operations) if (one.op === "inc" && one.id === _id) most += one.by;
    }
    if (n > most) this.#fault(`${_id} shows ${n} of ${most}`);
    const before = this.#counted.get(_id) ?? 0;
    if (n < before && !mayFall) this.#fault(`${_id} falls from ${before} to ${n}`);
    this.#counted.set(_id, n);
  }

  /** What was created here under an id of its own stays there from the call on. */
  #demandMade({ rows, fault }: Reading): void {
    const shown = new Set(rows.map(({ _id }) => _id));
    for (const { stage, operations } of this.#own) {
      if (stage === "refused" || stage === "told") continue;
      for (const { op, id } of operations) {
        if (op !== "create" || !id.startsWith("e") || shown.has(id)) continue;
        if (stage !== "ended" || this.#stored.items.has(id)) fault(`lacks ${id}, which was created here`);
      }
    }
  }

  /** What a write was answered with is never followed by anything older, nor by nothing unless somebody deletes it. */
  #demandNewest({ rows, fault }: Reading): void {
    const shown = new Map(rows.map((row) => [row._id, row]));
    const isAll = this.question.name === "all";
    const before = this.#shown;
    this.#shown = new Set(rows.flatMap(({ _id, _v }) => (_v > 0 ? [_id] : [])));
    for (const [place, { stage, versions, operations, isToldWhole }] of this.#own.entries()) {
      if (stage !== "ended") continue;
      for (const [id, version] of versions) {
        const isDeletedHere = this.#own.some(({ operations }) =>
          operations.some((one) => one.op === "delete" && one.id === id),
        );
        const row = shown.get(id);
        const isGone = isDeletedHere || (this.#stored.deleted.get(id) ?? 0) > version;
        // Where only its version was answered, what was changed and nobody here holds comes with the server's news.
        const isKnown =
          before.has(id) ||
          isToldWhole ||
          operations.some((one) => one.id === id && (one.op === "create" || one.op === "set"));
        if (!row && !isGone && isAll && isKnown) fault(`lacks ${id}, which was answered with version ${version}`);
        // What a later write makes of nothing, as far as is known here, begins without a version.
        const isMadeAnew = this.#own
          .slice(place + 1)
          .some(({ operations }) =>
            operations.some((one) => one.id === id && (one.op === "set" || one.op === "create")),
          );
        if (row && row._v < version && !(row._v === 0 && (isGone || isMadeAnew)))
          fault(`shows ${id} older than version ${version}`);
      }
    }
  }

  /** Until it is answered, the last write to a document is what is shown of it, whatever comes from the server. */
  #demandShown({ rows, fault }: Reading): void {
    const last = new Map<string, { readonly own: Own; readonly operation: Operation }>();
    for (const own of this.#own) for (const operation of own.operations) last.set(operation.id, { own, operation });
    const shown = new Map(rows.map((row) => [row._id, row]));
    for (const [id, { own, operation }] of last) {
      if (own.isAnswered || own.stage === "ended") continue;
      const row = shown.get(id);
      if (!isShown(operation, row)) fault(`does not show the last write to ${id}: ${JSON.stringify(operation)}`);
    }
  }
}

function isShown(operation: Operation, row: Item | undefined): boolean {
  switch (operation.op) {
    case "delete":
      return row === undefined;
    case "set": {
      const { n, rank, tag, marks } = operation.fields;
      return row !== undefined && row.n === n && row.rank === rank && row.tag === tag && same(row.marks, marks);
    }
    // Of what is not there, nothing is shown.
    case "tag":
      return row === undefined || row.tag === operation.tag;
    case "rank":
      return row === undefined || row.rank === operation.by;
    case "push":
      return row === undefined || row.marks.at(-1) === operation.by;
    case "create":
      return row !== undefined;
    // Counted by itself.
    case "inc":
      return true;
  }
}

function same(a: readonly number[], b: readonly number[]): boolean {
  return a.join() === b.join();
}
