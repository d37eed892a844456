import { attach } from "./expand.ts";
import type { Call, Http } from "./http.ts";
import type { AggregateReply, CountReply, DistinctReply, Page as PageReply } from "./protocol/api.ts";
import { Asked, question } from "./question.ts";
import { parameters, type Shape } from "./shape.ts";
import type { Json } from "./types/document.ts";
import type { One, Page, Query, Question } from "./types/question.ts";
import type { Aggregate } from "./types/result.ts";
import { encode } from "./wire.ts";

/** Up to so many characters a query goes into the URL of a GET, which logs and caches understand; else into a body. */
const MAX_URL = 1000;

/** What a query was built with. Filter and shape are held as JSON text, so that nobody can change them afterwards. */
interface Parts {
  readonly http: Http;
  readonly collection: string;
  readonly route: string;
  readonly filter: string;
  readonly shape: string;
  readonly signal: AbortSignal | undefined;
}

/** A query with all the questions that can be asked of it. */
export function findQuery(parts: Parts): Query<Json> {
  return Object.freeze(new FindQuery(parts));
}

class FindQuery extends Asked<Json[]> implements Query<Json> {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    super(keyOf("find", parts, parts.shape), async () => (await findPage(parts)).documents);
    this.#parts = parts;
  }

  page(after?: string): Promise<Page<Json>> {
    return findPage(this.#parts, after === undefined ? {} : { after });
  }

  async *pages(): AsyncGenerator<Json[], void> {
    for (let page = await this.page(); page.documents.length > 0; page = await this.page(page.next)) {
      yield page.documents;
      if (page.next === undefined) return;
    }
  }

  first(): One<Json> {
    const parts = this.#parts;
    return question(keyOf("first", parts, parts.shape), async () => {
      return (await findPage(parts, { limit: 1 })).documents[0] ?? null;
    });
  }

  count({ cap }: { cap?: number } = {}): Question<{ count: number; more: boolean }> {
    return this.#ask("count", encode({ cap }, "count"), ({ count, more }: CountReply) => ({ count, more }));
  }

  distinct(path: string): Question<{ values: never[]; more: boolean }> {
    const members = encode({ path }, "distinct");
    return this.#ask("distinct", members, ({ values, more }: DistinctReply) => ({ values: values as never[], more }));
  }

  aggregate(aggregate: Aggregate<Json>): Question<{ groups: never[]; more: boolean }> {
    const members = encode(aggregate, "aggregate");
    return this.#ask("aggregate", members, ({ groups, more }: AggregateReply) => ({ groups: groups as never[], more }));
  }

  #ask<Reply, R>(kind: string, members: string, read: (reply: Reply) => R): Question<R> {
    const { http, route, filter, signal } = this.#parts;
    const call = { ...post(`${route}/${kind}`, filter, members), signal };
    return question(keyOf(kind, this.#parts, members), async () => read((await http.send(call)) as Reply));
  }
}

async function findPage({ http, route, filter, shape, signal }: Parts, change: Shape = {}): Promise<Page<Json>> {
  const wanted: Shape = { ...JSON.parse(shape), ...change };
  const url = parameters({ filter: filter === "{}" ? undefined : filter, ...wanted });
  const call: Call =
    url === undefined || url.length > MAX_URL
      ? post(`${route}/query`, filter, encode(wanted, "find"))
      : { method: "GET", path: route + url };
  const { documents, next, position, included } = (await http.send({ ...call, signal })) as PageReply<Json>;
  const { expand } = wanted;
  return {
    documents: expand ? documents.map((document) => attach(document, expand, included)) : [...documents],
    ...(next !== undefined && { next }),
    position,
  };
}

function post(path: string, filter: string, members: string): Call {
  return { method: "POST", path, body: `{"filter":${filter}${members === "{}" ? "" : ","}${members.slice(1)}` };
}

function keyOf(kind: string, { collection, filter }: Parts, members: string): string[] {
  return [`"${kind}"`, JSON.stringify(collection), filter, members];
}
