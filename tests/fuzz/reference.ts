import type { Group } from "#protocol/aggregate";
import type { SortKey } from "#protocol/ast";
import type { Key } from "#protocol/compare";
import { DistinctValues } from "#protocol/distinct";
import { GalleyError } from "#protocol/errors";
import { Grouping } from "#protocol/grouping";
import { LIMITS } from "#protocol/limits";
import { compileFilter } from "#protocol/match";
import { compareKeys, sortKeyOf } from "#protocol/sort";
import { type Document, encodeValue, type ObjectValue } from "#protocol/values";
import { describeError, type Prepared } from "./prepare.ts";

/**
 * What the language says to a question over plain arrays: the lines that every store must give. Rows are the texts of
 * documents, then `end` where no row follows.
 */
export function answerOf(documents: readonly Document[], question: Prepared): string[] {
  const accepts = question.filters.map(compileFilter);
  const matching = documents.filter((document) => accepts.every((accept) => accept(document)));
  try {
    return answerOver(matching, documents, question);
  } catch (error) {
    return [describeError(error)];
  }
}

function answerOver(matching: readonly Document[], all: readonly Document[], question: Prepared): string[] {
  switch (question.kind) {
    case "find": {
      const { sort, limit, pages, after } = question;
      const from = placeOf(all, sort, after);
      const rest = sortedByKey(matching, sort).filter(({ key }) => !from || compareKeys(sort, key, from) > 0);
      const lines = rest.slice(0, pages * limit).map(({ document }) => textOf(document));
      return rest.length > pages * limit ? lines : [...lines, "end"];
    }
    case "count":
      return [countLine(Math.min(matching.length, question.cap), matching.length > question.cap)];
    case "distinct": {
      const values = new DistinctValues(question.path, LIMITS.distinctValues);
      for (const document of matching) values.add(document);
      return valueLines(values.result().values, values.result().more);
    }
    case "aggregate": {
      const grouping = new Grouping(question.aggregate);
      for (const document of matching) grouping.add(document);
      const { groups, more } = grouping.result();
      return groupLines(groups, more);
    }
  }
}

const TEXTS = new WeakMap<Document, string>();

/** Many questions are asked of the same documents. */
function textOf(document: Document): string {
  const text = TEXTS.get(document) ?? encodeValue(document);
  TEXTS.set(document, text);
  return text;
}

interface Keyed<T> {
  readonly document: T;
  readonly key: Key[];
}

/** In the order of the sort. @throws GalleyError if one has two arrays on the sort's paths */
export function sortedByKey<T extends ObjectValue>(documents: readonly T[], sort: readonly SortKey[]): Keyed<T>[] {
  return documents
    .map((document) => ({ document, key: keyOf(sort, document) }))
    .sort((a, b) => compareKeys(sort, a.key, b.key));
}

function keyOf(sort: readonly SortKey[], document: ObjectValue): Key[] {
  const key = sortKeyOf(sort, document);
  if (key) return key;
  const message = "sort: a matching document has two arrays on the sort's paths";
  throw new GalleyError("invalid_argument", message, {
    faults: [{ path: "sort", code: "sort_parallel_arrays", message }],
  });
}

/** The key tuple of the document after which a question's pages begin; undefined if it has gone or has none. */
export function placeOf(all: readonly Document[], sort: readonly SortKey[], id: string | undefined): Key[] | undefined {
  const document = id === undefined ? undefined : all.find((candidate) => candidate._id === id);
  return document && sortKeyOf(sort, document);
}

export function countLine(count: number, more: boolean): string {
  return `count ${count}${more ? " more" : ""}`;
}

export function valueLines(values: readonly Parameters<typeof encodeValue>[0][], more: boolean): string[] {
  return [...values.map(encodeValue), ...(more ? ["more"] : [])];
}

export function groupLines(groups: readonly Group[], more: boolean): string[] {
  return [...groups.map(({ key, out }) => encodeValue([...key, out])), ...(more ? ["more"] : [])];
}
