import type { Document } from "#protocol/values";
import type { IndexDefinition } from "../../server/stores/document-store.ts";
import { type Change, CollectionState } from "./collection-state.ts";
import { brokenLaw } from "./laws.ts";
import { prepare } from "./prepare.ts";
import type { Question } from "./questions.ts";
import { answerOf } from "./reference.ts";
import { askStore, commitTo, declare, type QueriedStore } from "./store-side.ts";

/** Everything that leads to one answer: what is stored, then what is changed, then what is asked. */
export interface Case {
  readonly documents: readonly Document[];
  readonly indexes: readonly IndexDefinition[];
  /** Whether the indexes are declared over the documents, so that they are built from what is stored. */
  readonly indexesLast: boolean;
  readonly commits: readonly (readonly Change[])[];
  /** Undefined: the last commit itself was judged otherwise. */
  readonly question: Question | undefined;
}

/** How a store, or a law of the language, differs from the evaluator. */
export interface Difference {
  readonly what: string;
  readonly expected: readonly string[];
  readonly actual: readonly string[];
}

let collections = 0;

/** One collection in a store, kept beside what should be in it. */
export class Subject {
  readonly #store: QueriedStore;
  readonly #name = `fuzz_${process.pid}_${collections++}`;
  readonly #state: CollectionState;
  readonly #indexes: readonly IndexDefinition[];

  constructor(store: QueriedStore, indexes: readonly IndexDefinition[]) {
    this.#store = store;
    this.#state = new CollectionState(indexes);
    this.#indexes = indexes;
  }

  get documents(): Document[] {
    return this.#state.documents;
  }

  /** Fills the collection. Documents that its indexes refuse are left out, and given back. */
  async load(
    documents: readonly Document[],
    indexesLast: boolean,
  ): Promise<{ refused: Document[]; difference: Difference | undefined }> {
    const empty = new CollectionState([]);
    const accepted: Document[] = [];
    const refused: Document[] = [];
    for (const put of documents) (this.#state.commit([{ put }])[0] === "ok" ? accepted : refused).push(put);
    await declare(this.#store, this.#name, indexesLast ? [] : this.#indexes);
    const changes = accepted.map((put) => ({ put }));
    const verdict = changes.length === 0 ? "ok" : await commitTo(this.#store, this.#name, changes, empty);
    if (verdict !== "ok") {
      return {
        refused,
        difference: { what: "the verdict on documents that fit", expected: ["ok"], actual: [verdict] },
      };
    }
    if (indexesLast) await declare(this.#store, this.#name, this.#indexes);
    return { refused, difference: undefined };
  }

  async commit(changes: readonly Change[]): Promise<Difference | undefined> {
    const before = this.#state.documents;
    const actual = await commitTo(this.#store, this.#name, changes, this.#state);
    const expected = this.#state.commit(changes);
    if (expected.includes(actual)) return undefined;
    return { what: `the verdict on a commit over ${before.length} documents`, expected, actual: [actual] };
  }

  /** @param answer what the language says; one function for the subjects that hold the same may ask itself but once */
  async ask(question: Question, answer: typeof answerOf = answerOf): Promise<Difference | undefined> {
    const prepared = prepare(question);
    if (!prepared) return undefined;
    const documents = this.#state.documents;
    const expected = answer(documents, prepared);
    const actual = await askStore(this.#store, this.#name, prepared, documents);
    if (expected.length === actual.length && expected.every((line, i) => line === actual[i])) return undefined;
    return { what: "the answer", expected, actual };
  }

  async drop(): Promise<void> {
    await this.#store.dropCollection(this.#name);
  }
}

/** Runs a case from nothing. */
export async function runCase(store: QueriedStore, run: Case): Promise<Difference | undefined> {
  const subject = new Subject(store, run.indexes);
  try {
    const { difference } = await subject.load(run.documents, run.indexesLast);
    if (difference) return difference;
    for (const changes of run.commits) {
      const difference = await subject.commit(changes);
      if (difference) return difference;
    }
    if (!run.question) return undefined;
    return brokenLaw(subject.documents, run.question) ?? (await subject.ask(run.question));
  } finally {
    await subject.drop();
  }
}
