import { LIMITS } from "#protocol/limits";
import { type AdminScope, authorizeAdmin } from "../../access/authorize.ts";
import type { Principal } from "../../access/principal.ts";
import type { CollectionInfo, CollectionService } from "../../documents/contract.ts";
import type { Replies } from "../reply.ts";
import type { Call, PathParams, Route } from "../route.ts";
import { object, type Schema } from "../schema.ts";
import { checkCollectionName } from "./names.ts";
import { INDEX } from "./schemas.ts";
import { visitOf } from "./visit.ts";

export const COLLECTIONS = "/v1/admin/collections";
const INDEXES: Schema = { type: "array", items: INDEX, maxItems: LIMITS.indexesPerCollection };
const JSON_SCHEMA: Schema = {
  type: ["object", "boolean", "null"],
  description: "JSON Schema 2020-12 for the documents, without the server's fields; null takes it off.",
};
const INFO = object(
  {
    name: { type: "string" },
    version: { type: "integer" },
    schema: JSON_SCHEMA,
    documents: { type: "integer" },
    bytes: { type: "integer" },
    indexes: {
      type: "array",
      items: object({
        ...INDEX.properties,
        state: { type: "string", enum: ["building", "ready", "failed"] },
        progress: { type: "number" },
        reason: { type: "string" },
        duplicates: { type: "array" },
      }),
    },
  },
  ["name", "version", "documents", "bytes", "indexes"],
);

/** Definitions of collections; http-api.md "Collections". */
export function collectionRoutes(collections: CollectionService, replies: Replies): Route[] {
  const reading = judged("read");
  const writing = { ...judged("write"), writes: true } as const;
  return [
    {
      ...reading,
      method: "GET",
      path: COLLECTIONS,
      summary: "List collections with their sizes and index states",
      replies: { 200: { description: "All", schema: object({ collections: { type: "array", items: INFO } }) } },
      errors: [],
      async answer({ scope, reply }: Call<AdminScope>) {
        replies.json(reply, 200, JSON.stringify({ collections: await collections.list(scope) }));
      },
    },
    {
      ...writing,
      method: "POST",
      path: COLLECTIONS,
      summary: "Declare a collection",
      body: object(
        {
          ...{ name: { type: "string" }, schema: JSON_SCHEMA, indexes: INDEXES },
          template: {
            type: "string",
            description:
              "owner, public-read or team: brings schema and index, and publishes its rules with their tests.",
          },
          field: { type: "string", description: "With a template: the field that names the owner or team." },
        },
        ["name"],
      ),
      replies: { 201: { description: "The collection", schema: INFO, headers: ["location"] } },
      errors: ["already_exists", "failed_precondition"],
      async answer(call: Call<AdminScope>) {
        const { scope, body, reply } = call;
        const info = await collections.create(scope, body, visitOf(call));
        replies.json(reply, 201, JSON.stringify(info), ["location", `${COLLECTIONS}/${info.name}`]);
      },
    },
    {
      ...reading,
      method: "GET",
      path: `${COLLECTIONS}/{collection}`,
      summary: "One collection",
      replies: { 200: { description: "It", schema: INFO } },
      errors: ["not_found"],
      async answer(call: Call<AdminScope>) {
        send(call, await collections.get(call.scope, call.params.collection));
      },
    },
    {
      ...writing,
      method: "PATCH",
      path: `${COLLECTIONS}/{collection}`,
      summary: "Change what is named; stored documents are checked against a new schema",
      body: object({
        schema: JSON_SCHEMA,
        indexes: INDEXES,
        ifVersion: { type: "integer", minimum: 1 },
        acceptExisting: { type: "boolean" },
      }),
      replies: { 200: { description: "The collection as it now is", schema: INFO } },
      errors: ["not_found", "version_conflict", "failed_precondition", "contention"],
      async answer(call: Call<AdminScope>) {
        send(call, await collections.change(call.scope, call.params.collection, call.body));
      },
    },
    {
      ...writing,
      method: "DELETE",
      path: `${COLLECTIONS}/{collection}`,
      summary: "Drop a collection with its documents",
      replies: { 204: { description: "Dropped" } },
      errors: ["not_found"],
      async answer({ scope, params, reply }: Call<AdminScope>) {
        await collections.drop(scope, params.collection);
        replies.empty(reply, 204);
      },
    },
    {
      ...reading,
      method: "POST",
      path: `${COLLECTIONS}/{collection}/check`,
      summary: "Try a schema on the stored documents, changing nothing",
      body: object({ schema: JSON_SCHEMA }, ["schema"]),
      replies: {
        200: {
          description: "How many documents would not fit, and some of them",
          schema: object({
            checked: { type: "integer" },
            violating: { type: "integer" },
            examples: { type: "array", items: object({ id: { type: "string" }, faults: { type: "array" } }) },
          }),
        },
      },
      errors: ["not_found"],
      async answer({ scope, params, body, reply }: Call<AdminScope>) {
        replies.json(reply, 200, JSON.stringify(await collections.check(scope, params.collection, body)));
      },
    },
  ];

  function send({ reply }: Call<AdminScope>, info: CollectionInfo): void {
    replies.json(reply, 200, JSON.stringify(info));
  }
}

/** What all routes below `/v1/admin/collections` share. */
export function judged(action: "read" | "write") {
  return {
    tag: "Collections",
    cache: "no-store",
    authorize(principal: Principal, { collection }: PathParams): AdminScope {
      const scope = authorizeAdmin(principal, "collections", action);
      if (collection !== undefined) checkCollectionName(collection);
      return scope;
    },
  } as const;
}
