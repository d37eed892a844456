import { Faults } from "#protocol/errors";
import { type Document, decodeValue, encodeValue } from "#protocol/values";
import type { Case } from "./case.ts";
import type { Change } from "./collection-state.ts";
import { prepare } from "./prepare.ts";
import type { Question } from "./questions.ts";
import { answerOf } from "./reference.ts";

/** A case as JSON, for the shrinker. */
export function caseToJson(run: Case): unknown {
  return {
    ...run,
    documents: run.documents.map(documentToJson),
    commits: run.commits.map((changes) =>
      changes.map((change) => ("put" in change ? { put: documentToJson(change.put) } : change)),
    ),
  };
}

/** The case in JSON that was made smaller; undefined if it is none any more. */
export function caseFromJson(json: unknown): Case | undefined {
  const { documents, indexes, indexesLast, commits, question } = json as Record<string, unknown>;
  if (!isList(documents) || !isList(commits) || !commits.every(isList) || typeof indexesLast !== "boolean") return;
  if (!isList(indexes) || !indexes.every(isIndex)) return undefined;
  if (question !== undefined && !isQuestion(question)) return undefined;
  const faults = new Faults();
  const read = documents.map((document) => documentFromJson(document, faults));
  const changes = commits.map((list) => (list as unknown[]).map((change) => changeFromJson(change, faults)));
  if (faults.any || new Set(read.map((document) => document._id)).size < read.length) return undefined;
  return { documents: read, indexes: indexes as Case["indexes"], indexesLast, commits: changes, question };
}

/** A case of `find` without indexes and changes as tests/contract/filter-cases.json has it. */
export function filterCase(name: string, run: Case): unknown {
  const { question } = run;
  if (question?.kind !== "find" || run.commits.length > 0) return undefined;
  const prepared = prepare({ ...question, limit: 1000 });
  if (!prepared) return undefined;
  const lines = answerOf(run.documents, prepared).filter((line) => line !== "end");
  const ids = lines.map((line) => (JSON.parse(line) as Document)._id);
  const documents = run.documents.map((document) => {
    const { _v, _createdAt, _updatedAt, ...rest } = document;
    return documentToJson(rest as Document);
  });
  return { name, documents, filter: question.filter, ...(question.sort.length > 0 && { sort: question.sort }), ids };
}

function documentToJson(document: Document): unknown {
  return JSON.parse(encodeValue(document));
}

function documentFromJson(json: unknown, faults: Faults): Document {
  const document = decodeValue(structuredClone(json), "document", faults) as Document;
  const whole =
    typeof document?._id === "string" &&
    document._id !== "" &&
    Number.isSafeInteger(document._v) &&
    document._v > 0 &&
    document._createdAt instanceof Date &&
    document._updatedAt instanceof Date;
  if (!whole) faults.add("document", "missing_member", "is no document");
  return document;
}

function changeFromJson(json: unknown, faults: Faults): Change {
  const change = json as Record<string, unknown>;
  if (change.put !== undefined) return { put: documentFromJson(change.put, faults) };
  if (typeof change.delete !== "string") faults.add("change", "missing_member", "is no change");
  return { delete: change.delete as string };
}

function isList(json: unknown): json is unknown[] {
  return Array.isArray(json);
}

function isIndex(json: unknown): boolean {
  const { paths, unique } = json as Record<string, unknown>;
  const texts = isList(paths) && paths.length > 0 && paths.every((path) => typeof path === "string");
  return texts && (unique === undefined || typeof unique === "boolean");
}

function isQuestion(json: unknown): json is Question {
  const question = json as Record<string, unknown>;
  const numbers = [question.limit, question.cap, question.pages].every(
    (number) => number === undefined || Number.isSafeInteger(number),
  );
  const bound = question.kind === "find" ? question.limit : question.kind === "count" ? question.cap : 1;
  if (!numbers || typeof bound !== "number" || bound < 1 || Number(question.pages ?? 1) < 1) return false;
  if (question.kind === "find" && !isList(question.sort)) return false;
  if (question.kind === "distinct" && typeof question.path !== "string") return false;
  return prepare(json as Question) !== undefined;
}
