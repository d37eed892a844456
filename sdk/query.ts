import { encode, withMember } from "./encode.ts";
import { notLoaded } from "./error.ts";
import type { Call, Http } from "./http.ts";
import type { Watch } from "./live.ts";
import type { Page as PageReply } from "./protocol/api.ts";
import { Asked, keyOf, question } from "./question.ts";
import { parameters, type Shape } from "./shape.ts";
import type { Doc, Json } from "./types/document.ts";
import type { One, Page, Query, Question } from "./types/question.ts";
import type { Aggregate } from "./types/result.ts";

type Documents = Doc<Json>[];

/** Up to so many characters a query goes into the URL of a GET, which logs and caches understand; else into a body. */
const MAX_URL = 1000;

/** What a query was built with. Filter and shape are held as JSON text, so that nobody can change them afterwards. */
interface Parts {
  readonly http: Http;
  readonly watch: Watch;
  readonly collection: string;
  readonly route: string;
  readonly filter: string;
  readonly shape: string;
  readonly signal: AbortSignal | undefined;
}

/** A query with all the questions that can be asked of it. */
export function findQuery(parts: Parts): Query<Doc<Json>> {
  return Object.freeze(new FindQuery(parts));
}

class FindQuery extends Asked<Documents> implements Query<Doc<Json>> {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    const { collection, filter, shape } = parts;
    super(keyOf("find", collection, filter, shape), async () => (await findPage(parts)).documents, parts.watch);
    this.#parts = parts;
  }

  page(after?: string): Promise<Page<Doc<Json>>> {
    return findPage(this.#parts, after === undefined ? {} : { after });
  }

  async *pages(): AsyncGenerator<Documents, void> {
    for (let after: string | undefined; ; ) {
      const { documents, next } = await this.page(after);
      if (documents.length > 0) yield documents;
      if (next === undefined) return;
      after = next;
    }
  }

  first(): One<Doc<Json>> {
    const parts = this.#parts;
    const ask = async (): Promise<Doc<Json> | null> => (await findPage(parts, { limit: 1 })).documents[0] ?? null;
    return question(keyOf("first", parts.collection, parts.filter, parts.shape), ask, parts.watch);
  }

  count({ cap }: { cap?: number } = {}): Question<{ count: number; more: boolean }> {
    return this.#ask("count", { cap });
  }

  distinct(path: string): Question<{ values: never[]; more: boolean }> {
    return this.#ask("distinct", { path });
  }

  aggregate(aggregate: Aggregate<Doc<Json>>): Question<{ groups: never[]; more: boolean }> {
    return this.#ask("aggregate", aggregate);
  }

  #ask<R>(kind: string, members: object): Question<R> {
    const { http, watch, collection, route, filter, signal } = this.#parts;
    const text = encode(members, kind);
    const call = post(`${route}/${kind}`, filter, text);
    const ask = async (): Promise<R> => {
      const { position: _, ...answer } = (await http.send({ ...call, signal })) as R & { position: string };
      return answer as R;
    };
    return question(keyOf(kind, collection, filter, text), ask, watch);
  }
}

async function findPage({ http, route, filter, shape, signal }: Parts, change: Shape = {}): Promise<Page<Doc<Json>>> {
  const wanted: Shape = { ...JSON.parse(shape), ...change };
  const url = parameters({ filter: filter === "{}" ? undefined : filter, ...wanted });
  const call =
    url === undefined || url.length > MAX_URL
      ? post(`${route}/query`, filter, encode(wanted, "find"))
      : ({ method: "GET", path: route + url } as const);
  const reply = (await http.send({ ...call, signal })) as PageReply<Doc<Json>>;
  const { included, references, advice: _, ...page } = reply;
  if (included && references) {
    const { attach } = await import("./expand.ts").catch(notLoaded);
    for (const document of page.documents) attach(document, { included, references });
  }
  return page as Page<Doc<Json>>;
}

function post(path: string, filter: string, members: string): Call {
  return { method: "POST", path, body: withMember("filter", filter, members) };
}
