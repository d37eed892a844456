import { ApiError, refused } from "./error.ts";
import { attach } from "./expand.ts";
import type { Call, Http } from "./http.ts";
import type { Expanded } from "./protocol/api.ts";
import { findQuery } from "./query.ts";
import { question } from "./question.ts";
import { ordered, parameters, type Shape } from "./shape.ts";
import type { ReadOptions, WriteOptions } from "./types/collection.ts";
import type { Json } from "./types/document.ts";
import type { One, Query } from "./types/question.ts";
import { encode, encodeObject, segment } from "./wire.ts";
import { makeId, writeKey } from "./write-key.ts";
import type { WriteOrder } from "./write-order.ts";

/** What a collection does, below the types that know its documents. */
export interface AnyCollection {
  get(id: string, options?: ReadOptions & Shape): One<Json>;
  find(filter?: Json, options?: ReadOptions & Shape): Query<Json>;
  create(value: Json, options?: WriteOptions): Promise<Json>;
  set(id: string, value: Json, options?: WriteOptions): Promise<Json>;
  update(id: string, change: Json, options?: WriteOptions & { upsert?: boolean }): Promise<Json>;
  delete(id: string, options?: WriteOptions): Promise<void>;
}

export function createCollection(http: Http, order: WriteOrder, collection: string): AnyCollection {
  const route = `documents/${segment(collection, "collection")}`;
  const routeOf = (id: string): string => `${route}/${segment(id, "id")}`;

  /** Sends a write when all earlier ones of its document are answered. */
  async function write(call: Call, id: string, { ifVersion, signal }: WriteOptions): Promise<Json> {
    const headers = {
      ...call.headers,
      ...(ifVersion === 0 ? { "if-none-match": "*" } : ifVersion !== undefined && { "if-match": `"${ifVersion}"` }),
    };
    const reply = order.run([`${collection}/${id}`], () => http.send({ ...call, headers, signal, write: true }));
    return (await reply) as Json;
  }

  function get(id: string, { select, expand, signal }: ReadOptions & Shape = {}): One<Json> {
    const shape = ordered({ select, expand });
    const query = parameters(shape);
    if (query === undefined) throw refused("select", 'expects names without ","');
    const path = routeOf(id) + query;
    return question(['"get"', encode(collection, ""), encode(id, ""), encode(shape, "get")], async () => {
      try {
        const reply = await http.send({ method: "GET", path, signal });
        if (!shape.expand) return reply as Json;
        const { document, included } = reply as Expanded<Json>;
        return attach(document, shape.expand, included);
      } catch (error) {
        if (ApiError.is(error, "not_found")) return null;
        throw error;
      }
    });
  }

  async function create(value: Json, options: WriteOptions = {}): Promise<Json> {
    const own = value?._id as string | undefined;
    const id = own ?? makeId();
    // Checked as it came: spread, an instance of a class would look like data.
    const text = encodeObject(value, "document");
    const body = own === undefined ? `{"_id":"${id}"${text === "{}" ? "" : ","}${text.slice(1)}` : text;
    const headers = own === undefined && !options.idempotencyKey ? {} : writeKey(options);
    let retried = false;
    const onRetry = (): void => {
      retried = true;
    };
    const call: Call = { method: "POST", path: route, body, headers, onRetry };
    try {
      return await write(call, id, options);
    } catch (error) {
      if (own !== undefined || !retried || !ApiError.is(error, "already_exists")) throw error;
      // Nobody else could guess the id: what exists was made by the first try. If it is gone, someone deleted it.
      const made = await get(id, { signal: options.signal });
      return made ?? (await write(call, id, options));
    }
  }

  return {
    get,
    find(filter = {}, { signal, ...shape } = {}) {
      const parts = { http, collection, route, signal };
      return findQuery({
        ...parts,
        filter: encodeObject(filter, "filter", true),
        shape: encode(ordered(shape), "find"),
      });
    },
    create,
    async set(id, value, options = {}) {
      const body = encodeObject(value, "document");
      return write({ method: "PUT", path: routeOf(id), body, headers: writeKey(options) }, id, options);
    },
    async update(id, change, options = {}) {
      const path = routeOf(id) + (options.upsert ? "?upsert=true" : "");
      const body = encodeObject(change, "update");
      return write({ method: "PATCH", path, body, headers: writeKey(options) }, id, options);
    },
    async delete(id, options = {}) {
      await write({ method: "DELETE", path: routeOf(id), headers: writeKey(options) }, id, options);
    },
  };
}
