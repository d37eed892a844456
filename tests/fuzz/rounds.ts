import type { Document } from "#protocol/values";
import { Random } from "../support/trap-pool.ts";
import { type Case, type Difference, Subject } from "./case.ts";
import type { Change } from "./collection-state.ts";
import { brokenLaw, textLaw } from "./laws.ts";
import { makeDocument, makePool, type Pool, withServerFields } from "./pool.ts";
import { prepare } from "./prepare.ts";
import { makeIndexes, makeQuestion, PAGES, type Question, type Subjects } from "./questions.ts";
import { answerOf } from "./reference.ts";
import type { QueriedStore } from "./store-side.ts";
import { updateDocument } from "./updates.ts";

const QUESTIONS = 50;
/** How big a round is. */
export interface RoundSize {
  /** How many documents a collection begins with at most. */
  readonly documents: number;
  /** How many pages of one question are read at most. */
  readonly pages: number;
}

/** The size at which the stored seeds were found. */
const FULL: RoundSize = { documents: 200, pages: PAGES };
/** Of `npm test`: each further document and page costs as much as the first, and is read in the same way. */
export const SMALL: RoundSize = { documents: 80, pages: 3 };

/** A difference, with the round that found it and the case that leads to it. */
export interface Finding {
  readonly store: string;
  readonly case: Case;
  readonly difference: Difference;
}

export interface RoundResult {
  /** Questions asked of every store, with and without indexes. */
  readonly asked: number;
  readonly finding: Finding | undefined;
}

/** Asks the questions of one seed of every store, twice: without indexes, and with random ones. */
export async function runRound(
  stores: ReadonlyMap<string, QueriedStore>,
  seed: number,
  size: RoundSize = FULL,
): Promise<RoundResult> {
  const random = new Random(seed);
  const pool = makePool(random);
  const documents = makeDocuments(pool, size.documents);
  const indexes = makeIndexes(pool);
  const unindexed = { documents, indexes: [], indexesLast: false };
  const indexed = { documents, indexes, indexesLast: random.chance(30) };
  const broken = textLaw(documents);
  if (broken) throw new Error(`seed ${seed}: ${JSON.stringify(broken)}`);
  const lanes: Lane[] = [];
  try {
    for (const [name, store] of stores) {
      for (const start of [unindexed, indexed]) {
        lanes.push({ store: name, subject: new Subject(store, start.indexes), start, commits: [], refused: [] });
      }
    }
    const finding = (await Promise.all(lanes.map(load))).find((found) => found !== undefined);
    return finding ? { asked: 0, finding } : await askAll(lanes, pool, { indexes, pages: size.pages });
  } finally {
    await Promise.all(lanes.map((lane) => lane.subject.drop()));
  }
}

/** One collection in one store through one round. */
interface Lane {
  readonly store: string;
  readonly subject: Subject;
  readonly start: Pick<Case, "documents" | "indexes" | "indexesLast">;
  readonly commits: (readonly Change[])[];
  /** Documents that the indexes refused at first, to be tried again among the changes. */
  readonly refused: Document[];
}

async function load(lane: Lane): Promise<Finding | undefined> {
  const { store, subject, start } = lane;
  const { refused, difference } = await subject.load(start.documents, start.indexesLast);
  lane.refused.push(...refused);
  return difference && { store, difference, case: { ...start, commits: [], question: undefined } };
}

/** Questions between two commits go to all lanes together: with a server, most of their time is its way there. */
async function askAll(lanes: readonly Lane[], pool: Pool, about: Omit<Subjects, "ids">): Promise<RoundResult> {
  let version = 1_000_000;
  let asked = 0;
  let waiting: Question[] = [];
  while (asked < QUESTIONS) {
    const known = lanes[0]?.subject.documents ?? [];
    if (pool.random.chance(20)) {
      version++;
      const changes = makeChanges(pool, known, version);
      const finding = (await askTogether(lanes, waiting)) ?? (await commitTogether(lanes, changes));
      if (finding) return { asked, finding };
      waiting = [];
    }
    const ids = known.map((document) => document._id);
    const question = makeQuestion(pool, { ...about, ids });
    if (!prepare(question)) continue;
    asked++;
    waiting.push(question);
  }
  return { asked, finding: await askTogether(lanes, waiting) };
}

async function askTogether(lanes: readonly Lane[], questions: readonly Question[]): Promise<Finding | undefined> {
  const found = await Promise.all(
    questions.flatMap((question) => {
      // Lanes that started alike hold the same, or a commit would have been a finding.
      const answers = new Map<Lane["start"], typeof answerOf>();
      return lanes.map((lane) => {
        const answer = answers.get(lane.start) ?? once(answerOf);
        answers.set(lane.start, answer);
        return ask(lane, question, { answer, laws: lane === lanes[0] });
      });
    }),
  );
  return found.find((finding) => finding !== undefined);
}

function once(answer: typeof answerOf): typeof answerOf {
  let known: string[] | undefined;
  return (documents, question) => {
    known ??= answer(documents, question);
    return known;
  };
}

async function commitTogether(lanes: readonly Lane[], changes: readonly Change[]): Promise<Finding | undefined> {
  const found = await Promise.all(
    lanes.map(async (lane) => {
      // What the indexes refused at first goes alone: together, it would take the other changes down with it.
      const again = lane.refused.splice(0, 1).map((put) => ({ put }));
      return (again.length > 0 ? await commit(lane, again) : undefined) ?? (await commit(lane, changes));
    }),
  );
  return found.find((finding) => finding !== undefined);
}

/** @param how `laws`: whether to check the laws too, which need no store and so only one lane */
async function ask(
  lane: Lane,
  question: Question,
  { answer, laws }: { readonly answer: typeof answerOf; readonly laws: boolean },
): Promise<Finding | undefined> {
  const { store, subject, start, commits } = lane;
  const broken = laws ? brokenLaw(subject.documents, question) : undefined;
  const difference = broken ?? (await subject.ask(question, answer));
  return difference && { store, difference, case: { ...start, commits: [...commits], question } };
}

async function commit(lane: Lane, changes: readonly Change[]): Promise<Finding | undefined> {
  const { store, subject, start, commits } = lane;
  commits.push(changes);
  const difference = await subject.commit(changes);
  return difference && { store, difference, case: { ...start, commits: [...commits], question: undefined } };
}

function makeDocuments(pool: Pool, most: number): Document[] {
  const taken = new Set<string>();
  const count = 1 + pool.random.below(pool.random.chance(30) ? 12 : most);
  return Array.from({ length: count }, (_, i) => {
    const document = makeDocument(pool, taken, i + 1);
    taken.add(document._id);
    return document;
  });
}

/** A few updates, deletes and new documents, each document once. */
function makeChanges(pool: Pool, documents: readonly Document[], version: number): Change[] {
  const { random } = pool;
  const changed = random.some(documents, 1 + random.below(3));
  const changes = changed.map((document): Change => {
    if (random.chance(20)) return { delete: document._id };
    const { _id, _createdAt, _v, _updatedAt, ...data } = updateDocument(pool, document) as Document;
    return { put: withServerFields(data, _id, version, _createdAt) };
  });
  const ids = new Set(documents.map((document) => document._id));
  return random.chance(30) ? [...changes, { put: makeDocument(pool, ids, version) }] : changes;
}
