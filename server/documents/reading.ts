import type { Group } from "#protocol/aggregate";
import type { Node } from "#protocol/ast";
import { and } from "#protocol/normalise";
import { sortKeyOf } from "#protocol/sort";
import { encodeValue, type Value } from "#protocol/values";
import type { Scope } from "../access/authorize.ts";
import type { Budget, DocumentStore, Row } from "../stores/document-store.ts";
import type { Advisor } from "./advice.ts";
import type { DocumentService, ReadRequest } from "./contract.ts";
import type { Cursors } from "./cursors.ts";
import type { Definitions } from "./definitions.ts";
import { expand } from "./expansion.ts";
import { matches } from "./judgement.ts";
import { membersOfText } from "./members-of-text.ts";
import { encodePlain } from "./plain.ts";
import { parseCount, parseDistinct, parseFind, parseGrouping, parseView } from "./requests.ts";
import { mostCharacters, ReplySize, shapeOf, show } from "./views.ts";

/** Documents a query may evaluate for callers that are not exempt; query-language.md 8. */
const CANDIDATES = 100_000;
/** Time for a query, for all. */
const QUERY_MILLISECONDS = 5000;

export interface ReadingOptions {
  readonly store: DocumentStore;
  readonly definitions: Definitions;
  readonly cursors: Cursors;
  readonly advisor: Advisor;
}

export type Reading = Pick<DocumentService, "get" | "find" | "count" | "distinct" | "aggregate">;

/** Reads. A rule is a filter: it is ANDed into the question, and nothing is fetched that it does not allow. */
export function createReading({ store, definitions, cursors, advisor }: ReadingOptions): Reading {
  return {
    async get(scope, id, request) {
      const rule = scope.require("get");
      const view = parseView(request, definitions.get(scope.collection));
      const [row] = await store.get(scope.collection, [id]);
      if (!row || !matches(rule, row)) return undefined;
      const found = { id, version: row.version, shape: shapeOf(view), text: show(view, row) };
      if (request.expand === undefined) return found;
      const size = new ReplySize();
      size.add(found.text);
      return { ...found, expansion: await expand(store, scope, [row], view, size) };
    },

    async find(scope, request) {
      const rule = scope.require("list");
      const { collection } = scope;
      const { filter, sort, limit, view } = parseFind(request, definitions.get(collection));
      const question = { collection, filter, sort };
      const after = request.after === undefined ? undefined : cursors.read(question, request.after);
      const query = {
        collection,
        filter: judged(filter, rule),
        budget: budgetOf(scope, request, mostCharacters(view)),
        sort,
        limit,
        after,
      };
      const result = await store.find(query);
      const size = new ReplySize();
      const documents = result.rows.map((row) => {
        const text = show(view, row);
        size.add(text);
        return text;
      });
      const advice = advisor.watch(collection, query.filter, result);
      return {
        documents,
        position: result.position,
        ...(result.more ? nextOf(result.rows, (keys) => cursors.write(question, keys), sort) : {}),
        ...(request.expand === undefined ? {} : { expansion: await expand(store, scope, result.rows, view, size) }),
        ...(advice ? { advice } : {}),
      };
    },

    async count(scope, request) {
      const rule = scope.require("list");
      const { filter, cap } = parseCount(request, definitions.get(scope.collection));
      const query = ask(scope, filter, rule, request);
      const result = await store.count({ ...query, cap });
      advisor.watch(scope.collection, query.filter, result);
      return { count: result.count, more: result.more, position: result.position };
    },

    async distinct(scope, request) {
      const rule = scope.require("list");
      const { filter, path } = parseDistinct(request, definitions.get(scope.collection));
      const query = ask(scope, filter, rule, request);
      const result = await store.distinct({ ...query, path });
      advisor.watch(scope.collection, query.filter, result);
      const values = sized(`[${result.values.map(encoder(request)).join(",")}]`);
      return { values, more: result.more, position: result.position };
    },

    async aggregate(scope, request) {
      const rule = scope.require("list");
      const { filter, aggregate } = parseGrouping(request, definitions.get(scope.collection));
      const query = ask(scope, filter, rule, request);
      const result = await store.aggregate({ ...query, aggregate });
      advisor.watch(scope.collection, query.filter, result);
      const groups = result.groups.map((group) => groupText(group, encoder(request)));
      return { groups: sized(`[${groups.join(",")}]`), more: result.more, position: result.position };
    },
  };
}

function ask(scope: Scope, filter: Node, rule: Node, request: ReadRequest) {
  return { collection: scope.collection, filter: judged(filter, rule), budget: budgetOf(scope, request) };
}

function judged(filter: Node, rule: Node): Node {
  return rule.kind === "true" ? filter : and(filter, rule);
}

function budgetOf(scope: Scope, { signal }: ReadRequest, characters?: number): Budget {
  return {
    candidates: scope.exempt ? Infinity : CANDIDATES,
    milliseconds: QUERY_MILLISECONDS,
    characters,
    signal,
  };
}

type Sort = Parameters<typeof sortKeyOf>[0];

/** The members at the top that a sort looks into, `_id` aside; of sorts that come again. */
const tops = new WeakMap<Sort, readonly string[]>();

function topsOf(sort: Sort): readonly string[] {
  let names = tops.get(sort);
  if (!names) {
    names = [...new Set(sort.slice(0, -1).map(({ path }) => path[0] as string))];
    tops.set(sort, names);
  }
  return names;
}

/** Of the last row only what it is sorted by is read: what is merely forwarded is not made anew. */
function nextOf(
  rows: readonly Row[],
  write: (keys: NonNullable<ReturnType<typeof sortKeyOf>>) => string,
  sort: Sort,
): { next?: string } {
  const last = rows.at(-1);
  if (!last) return {};
  const keys = sortKeyOf(sort, { ...membersOfText(last.text, topsOf(sort)), _id: last.id });
  return keys ? { next: write(keys) } : {};
}

function encoder({ plain }: ReadRequest): (value: Value) => string {
  return plain ? encodePlain : encodeValue;
}

function groupText({ key, out }: Group, encode: (value: Value) => string): string {
  const outputs = Object.entries(out).map(([name, value]) => `${JSON.stringify(name)}:${encode(value)}`);
  return `{"key":[${key.map(encode).join(",")}],"out":{${outputs.join(",")}}}`;
}

function sized(text: string): string {
  new ReplySize().add(text);
  return text;
}
