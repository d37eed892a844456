import { encode, encodeObject, encodePart, withMember } from "./encode.ts";
import { ApiError, notLoaded, refused } from "./error.ts";
import type { Call, Http } from "./http.ts";
import type { Watch } from "./live.ts";
import type { Operation } from "./operations.ts";
import { type Course, type OwnWrites, showing } from "./own-writes.ts";
import type { Expanded } from "./protocol/api.ts";
import { findQuery } from "./query.ts";
import { keyOf, question } from "./question.ts";
import { ordered, parameters, type Shape } from "./shape.ts";
import type { ReadOptions, WriteOptions } from "./types/collection.ts";
import type { Doc, Json } from "./types/document.ts";
import type { One, Query } from "./types/question.ts";
import { makeId, writeKey } from "./write-key.ts";
import type { WriteOrder } from "./write-order.ts";

/** `grant` is the SDK's own: a read that belongs to other requests. */
type Reading = ReadOptions & Shape & Pick<Call, "grant">;

/** A collection below the types that know its documents. */
export interface AnyCollection {
  get(id: string, options?: Reading): One<Doc<Json>>;
  find(filter?: Json, options?: ReadOptions & Shape): Query<Doc<Json>>;
  create(value: Json, options?: WriteOptions): Promise<Doc<Json>>;
  set(id: string, value: Json, options?: WriteOptions): Promise<Doc<Json>>;
  update(id: string, change: Json, options?: WriteOptions & { upsert?: boolean }): Promise<Doc<Json>>;
  delete(id: string, options?: WriteOptions): Promise<void>;
}

/** What all collections of a client share. */
export interface Writing {
  readonly http: Http;
  readonly order: WriteOrder;
  readonly own: OwnWrites;
}

export function createCollection({ http, order, own }: Writing, watch: Watch, collection: string): AnyCollection {
  const route = `documents/${encodePart(collection, "collection")}`;
  const routeOf = (id: string): string => `${route}/${encodePart(id, "id")}`;

  /** Sends a write when all earlier ones of its document are answered. */
  async function send(call: Call, id: string, options: WriteOptions = {}): Promise<Doc<Json>> {
    const { ifVersion, signal } = options;
    const headers = {
      ...writeKey(options),
      ...(ifVersion !== undefined && (ifVersion === 0 ? { "if-none-match": "*" } : { "if-match": `"${ifVersion}"` })),
    };
    const sent = order.run([`${collection}/${id}`], (turn) => http.send({ ...call, headers, signal, turn }));
    return (await sent) as Doc<Json>;
  }

  /** The same, in live results at once. */
  function show(
    operation: Omit<Operation, "collection">,
    options: WriteOptions = {},
    send: (course: Course) => Promise<Doc<Json>>,
  ): Promise<Doc<Json>> {
    const shown = { ...operation, collection, ifVersion: options.ifVersion };
    // What is gone is answered by nothing.
    return showing(own, [shown], options, send, (answer) => [answer || null]);
  }

  function get(id: string, { select, expand, signal, grant }: Reading = {}): One<Doc<Json>> {
    const shape = ordered({ select, expand });
    const query = parameters(shape);
    if (query === undefined) throw refused("select", 'expects names without ","');
    const path = routeOf(id) + query;
    const ask = async (): Promise<Doc<Json> | null> => {
      try {
        const reply = await http.send({ method: "GET", path, signal, grant });
        if (!shape.expand) return reply as Doc<Json>;
        const { attach } = await import("./expand.ts").catch(notLoaded);
        return attach((reply as Expanded<Doc<Json>>).document, reply as Expanded<Doc<Json>>);
      } catch (error) {
        if (ApiError.is(error, "not_found")) return null;
        throw error;
      }
    };
    return question(keyOf("get", collection, encode(id, "id"), encode(shape, "get")), ask, watch);
  }

  return {
    get,
    find(filter = {}, { signal, ...options } = {}) {
      const shape = encode(ordered(options), "find");
      return findQuery({ http, watch, collection, route, filter: encodeObject(filter, "filter", true), shape, signal });
    },
    async create(value, options) {
      const text = encodeObject(value, "document");
      const { _id: given } = value;
      const id = given === undefined ? makeId() : `${given}`;
      const body = given === undefined ? withMember("_id", `"${id}"`, text) : text;
      let retried = false;
      const onRetry = (): void => {
        retried = given === undefined;
      };
      // Whoever asked for it made it, or nobody did.
      const grant = http.claim();
      return show({ op: "create", id, content: body }, options, async (course) => {
        const call = { method: "POST", path: route, body, onRetry, grant, course } as const;
        // An id made here makes a repeat harmless: it needs no key unless the caller wants one.
        const make = (): Promise<Doc<Json>> =>
          send(call, id, given === undefined ? { idempotencyKey: false, ...options } : options);
        try {
          return await make();
        } catch (error) {
          if (!retried || !ApiError.is(error, "already_exists")) throw error;
          // Nobody else could guess the id: what exists was made by the first try, even if its maker may not read it. If it
          // is gone, someone deleted it.
          const made = (): Doc<Json> => ({ _id: id }) as Doc<Json>;
          return (await get(id, { signal: options?.signal, grant }).catch(made)) ?? make().catch(made);
        }
      });
    },
    async set(id, value, options) {
      const body = encodeObject(value, "document");
      const path = routeOf(id);
      return show({ op: "set", id, content: body }, options, (course) =>
        send({ method: "PUT", path, body, course }, id, options),
      );
    },
    async update(id, change, options) {
      const path = routeOf(id) + (options?.upsert ? "?upsert=true" : "");
      const body = encodeObject(change, "update");
      return show({ op: "update", id, content: body, upsert: options?.upsert }, options, (course) =>
        send({ method: "PATCH", path, body, course }, id, options),
      );
    },
    async delete(id, options) {
      const path = routeOf(id);
      await show({ op: "delete", id }, options, (course) => send({ method: "DELETE", path, course }, id, options));
    },
  };
}
