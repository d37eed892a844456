import { canonicalKey } from "#protocol/canonical";
import { Faults } from "#protocol/errors";
import { parseFilter } from "#protocol/filter";
import { compileFilter } from "#protocol/match";
import { normalise } from "#protocol/normalise";
import { parseSelect, project } from "#protocol/select";
import {
  type Document,
  decodeValue,
  encodeValue,
  isObjectValue,
  type ObjectValue,
  parseText,
  type Value,
} from "#protocol/values";
import { referenceMatch } from "../support/reference-matcher.ts";
import type { Difference } from "./case.ts";
import type { WireFilter } from "./filters.ts";
import type { Question } from "./questions.ts";

/** Checks what must hold of the language itself, whatever stores it; the first law that does not, or undefined. */
export function brokenLaw(documents: readonly Document[], question: Question): Difference | undefined {
  return (
    filterLaws(documents, question.filter) ??
    (question.kind === "find" ? selectLaw(documents, question.select) : undefined)
  );
}

function filterLaws(documents: readonly Document[], filter: WireFilter): Difference | undefined {
  const faults = new Faults();
  const node = parseFilter(filter, "filter", faults);
  const respelled = parseFilter(respell(filter), "filter", faults);
  if (faults.any) return undefined;
  const normal = normalise(node);
  const key = canonicalKey(normal);
  const accepts = compileFilter(node);
  const expected = idsOf(documents, accepts);
  return (
    differ(
      "a second evaluator's answer",
      expected,
      idsOf(documents, (document) => referenceMatch(node, document)),
    ) ??
    differ("the normalised filter's answer", expected, idsOf(documents, compileFilter(normal))) ??
    differ("the canonical key of a filter that is normalised twice", [key], [canonicalKey(normalise(normal))]) ??
    differ("the canonical key of the filter spelt otherwise", [key], [canonicalKey(normalise(respelled))]) ??
    differ("the answer to the filter spelt otherwise", expected, idsOf(documents, compileFilter(respelled)))
  );
}

function idsOf(documents: readonly Document[], accepts: (document: Document) => boolean): string[] {
  return documents.filter(accepts).map((document) => document._id);
}

function differ(what: string, expected: readonly string[], actual: readonly string[]): Difference | undefined {
  const same = expected.length === actual.length && expected.every((line, i) => line === actual[i]);
  return same ? undefined : { what, expected, actual };
}

/** The same filter in other words: entries in another order, inside an `$and`, with one of them twice. */
function respell(filter: WireFilter): WireFilter {
  const entries = Object.entries(filter).reverse();
  const branches: WireFilter[] = entries.map(([name, value]) => ({ [name]: value }));
  const [first] = branches;
  return first && branches.length < 4 ? { $and: [...branches, first] } : filter;
}

/** Documents come back from their text as they were; that needs no question, and is checked once a round. */
export function textLaw(documents: readonly Document[]): Difference | undefined {
  for (const document of documents) {
    const text = encodeValue(document);
    const decoded = decodeValue(JSON.parse(text), "document", new Faults());
    const difference =
      differ("a document read from its text by a client", [text], [encodeValue(decoded)]) ??
      differ("a document read from its text by a store", [text], [encodeValue(parseText(text))]);
    if (difference) return difference;
  }
  return undefined;
}

/** What is selected of one document depends on no other: some will do. */
const SELECTED_FROM = 40;

function selectLaw(all: readonly Document[], select: readonly string[] = []): Difference | undefined {
  const faults = new Faults();
  const paths = parseSelect([...select], "select", faults);
  if (faults.any) return undefined;
  const documents = all.slice(0, SELECTED_FROM);
  const shown = [["_id"], ["_v"], ...paths];
  return differ(
    `the selection of ${select.join()}`,
    documents.map((document) => encodeValue(selected(document, shown) ?? {})),
    documents.map((document) => encodeValue(project(document, paths))),
  );
}

/** query-language.md 5.2, word by word; undefined where a value is dropped. */
function selected(value: Value, paths: readonly (readonly string[])[]): Value | undefined {
  if (paths.some((path) => path.length === 0)) return value;
  if (Array.isArray(value)) {
    return value.map((element: Value) => selected(element, paths)).filter((element) => element !== undefined);
  }
  if (!isObjectValue(value)) return undefined;
  const entries = Object.entries(value as ObjectValue).flatMap(([name, inner]) => {
    const below = paths.filter((path) => path[0] === name).map((path) => path.slice(1));
    const kept = below.length > 0 ? selected(inner, below) : undefined;
    return kept === undefined ? [] : [[name, kept] as const];
  });
  return Object.fromEntries(entries);
}
