import { aggregatePaths, type Group } from "#protocol/aggregate";
import type { Node } from "#protocol/ast";
import { GalleyError } from "#protocol/errors";
import { pathsOf } from "#protocol/filter-paths";
import { and } from "#protocol/normalise";
import type { Path } from "#protocol/paths";
import { encodeValue, type Value } from "#protocol/values";
import type { Scope } from "../access/authorize.ts";
import { RecentPairs } from "../recent.ts";
import type { Budget, DocumentStore } from "../stores/document-store.ts";
import type { Advisor } from "./advice.ts";
import type { DocumentService, ReadRequest } from "./contract.ts";
import type { Cursors } from "./cursors.ts";
import type { Definitions } from "./definitions.ts";
import { expand } from "./expansion.ts";
import { seen, settledAtOnce, underRights } from "./judgement.ts";
import { createPageEnds } from "./page-ends.ts";
import { encodePlain } from "./plain.ts";
import { demandQueryable } from "./queryable.ts";
import { parseCount, parseDistinct, parseFind, parseGrouping, parseView } from "./requests.ts";
import { mostCharacters, ReplySize, shapeOf, show } from "./views.ts";

/** Documents a query may evaluate for callers that are not exempt; query-language.md 8. */
export const CANDIDATES = 100_000;
/** Time for a query, for all. */
export const QUERY_MILLISECONDS = 5000;

export interface ReadingOptions {
  readonly store: DocumentStore;
  readonly definitions: Definitions;
  readonly cursors: Cursors;
  readonly advisor: Advisor;
  readonly development: boolean;
}

export type Reading = Pick<DocumentService, "get" | "find" | "count" | "distinct" | "aggregate">;

/** Reads. A rule is a filter: it is ANDed into the question, and nothing is fetched that it does not allow. */
export function createReading(options: ReadingOptions): Reading {
  const { store, definitions, cursors, advisor, development } = options;
  const ends = createPageEnds(cursors);

  return {
    async get(scope, id, request) {
      scope.demand("get");
      const view = parseView(request, definitions.get(scope.collection));
      return await underRights(scope, async () => {
        const [row] = await store.get(scope.collection, [id]);
        if (!row) return undefined;
        const allowed = settledAtOnce(scope, () => scope.allows("get", { image: row }));
        if (!(allowed instanceof Promise ? await allowed : allowed)) return undefined;
        const image = seen(scope, row);
        const shape = shapeOf(view, scope.masks.none ? [] : scope.masks.hidden(row.value));
        const found = { id, version: row.version, shape, text: show(view, image) };
        if (request.expand === undefined) return found;
        const size = new ReplySize();
        size.add(found.text);
        return { ...found, expansion: await expand(store, scope, [image], view, size) };
      });
    },

    async find(scope, request) {
      scope.demand("list");
      const { collection } = scope;
      const { filter, sort, limit, view } = parseFind(request, definitions.get(collection));
      const question = { collection, filter, sort };
      const after = request.after === undefined ? undefined : cursors.read(question, request.after);
      return await judgedRead(scope, async () => {
        const { masks } = scope;
        if (!masks.none) demandQueryable(scope, [...pathsOf(filter), ...sort.map(({ path }) => path)]);
        const query = {
          collection,
          filter: judged(filter, scope.filter),
          budget: budgetOf(scope, request, mostCharacters(view, !masks.none)),
          sort,
          limit,
          after,
        };
        const result = await store.find(query);
        const images = scope.masks.none ? result.rows : result.rows.map((row) => seen(scope, row));
        const size = new ReplySize();
        const documents = images.map((image) => {
          const text = show(view, image);
          size.add(text);
          return text;
        });
        const advice = advisor.watch(collection, query.filter, result);
        return {
          documents,
          position: result.position,
          ...(result.more ? ends.next(question, query.filter, result.rows) : {}),
          ...(request.expand === undefined ? {} : { expansion: await expand(store, scope, images, view, size) }),
          ...(advice ? { advice } : {}),
        };
      });
    },

    async count(scope, request) {
      scope.demand("list");
      const { filter, cap } = parseCount(request, definitions.get(scope.collection));
      return await judgedRead(scope, async () => {
        const query = ask(scope, filter, pathsOf(filter), request);
        const result = await store.count({ ...query, cap });
        advisor.watch(scope.collection, query.filter, result);
        return { count: result.count, more: result.more, position: result.position };
      });
    },

    async distinct(scope, request) {
      scope.demand("list");
      const { filter, path } = parseDistinct(request, definitions.get(scope.collection));
      return await judgedRead(scope, async () => {
        const query = ask(scope, filter, [...pathsOf(filter), path], request);
        const result = await store.distinct({ ...query, path });
        advisor.watch(scope.collection, query.filter, result);
        const values = sized(`[${result.values.map(encoder(request)).join(",")}]`);
        return { values, more: result.more, position: result.position };
      });
    },

    async aggregate(scope, request) {
      scope.demand("list");
      const { filter, aggregate } = parseGrouping(request, definitions.get(scope.collection));
      return await judgedRead(scope, async () => {
        const query = ask(scope, filter, [...pathsOf(filter), ...aggregatePaths(aggregate)], request);
        const result = await store.aggregate({ ...query, aggregate });
        advisor.watch(scope.collection, query.filter, result);
        const groups = result.groups.map((group) => groupText(group, encoder(request)));
        return { groups: sized(`[${groups.join(",")}]`), more: result.more, position: result.position };
      });
    },
  };

  /** The rule is part of what was asked: the index it lacks would tell what stands in it. */
  async function judgedRead<T>(scope: Scope, read: () => Promise<T>): Promise<T> {
    try {
      return await underRights(scope, read);
    } catch (error) {
      throw scope.exempt || development ? error : withoutIndex(error);
    }
  }
}

/** An error of a question as those may be told it whom rules judge. */
export function withoutIndex(error: unknown): unknown {
  if (!(error instanceof GalleyError) || error.details.index === undefined) return error;
  const { index, ...details } = error.details;
  return new GalleyError(error.code, "this question looks at too many documents: narrow it", details, error.cause);
}

/** @param paths all that the question touches */
function ask(scope: Scope, filter: Node, paths: readonly Path[], request: ReadRequest) {
  demandQueryable(scope, paths);
  return { collection: scope.collection, filter: judged(filter, scope.filter), budget: budgetOf(scope, request) };
}

/**
 * What filters and rules were joined to, since both come again as the same frozen values, and what is planned is known by
 * them. A rule is bound to the values that it asks for, so nobody's question is joined with what others may do.
 */
const joins = new RecentPairs<Node, Node, Node>(2000);

/** A question joined with the rule. */
export function judged(filter: Node, rule: Node): Node {
  if (rule.kind === "true") return filter;
  let joined = joins.get(rule, filter);
  if (!joined) {
    joined = and(filter, rule);
    joins.set(rule, filter, joined);
  }
  return joined;
}

function budgetOf(scope: Scope, { signal }: ReadRequest, characters?: number): Budget {
  return {
    candidates: scope.exempt ? Infinity : CANDIDATES,
    milliseconds: QUERY_MILLISECONDS,
    characters,
    signal,
  };
}

function encoder({ plain }: ReadRequest): (value: Value) => string {
  return plain ? encodePlain : encodeValue;
}

export function groupText({ key, out }: Group, encode: (value: Value) => string): string {
  const outputs = Object.entries(out).map(([name, value]) => `${JSON.stringify(name)}:${encode(value)}`);
  return `{"key":[${key.map(encode).join(",")}],"out":{${outputs.join(",")}}}`;
}

function sized(text: string): string {
  new ReplySize().add(text);
  return text;
}
