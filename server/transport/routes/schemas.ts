import { LIMITS } from "#protocol/limits";
import { object, type Schema } from "../schema.ts";

/** Shapes that several routes share; the OpenAPI document lists them as components. */
export const DOCUMENT: Schema = {
  type: "object",
  description:
    'A document. Beside JSON it may hold tagged values: {"$date": …}, {"$numberLong": …}, {"$binary": …}; `_id`, `_v`, `_createdAt` and `_updatedAt` are filled by the server.',
  properties: {
    _id: { type: "string", pattern: "^[A-Za-z0-9_~.:@-]{1,128}$" },
    _v: { type: "integer" },
    _createdAt: {},
    _updatedAt: {},
  },
};

/** A document's fields as a client sends them. The language judges them, with paths. */
export const FIELDS: Schema = {
  type: "object",
  description: "The document's fields; the server's own (`_v`, `_createdAt`, `_updatedAt`) are accepted and ignored.",
};

export const CHANGE: Schema = {
  type: "object",
  description: "Either plain paths, each meaning `$set`, or update operators such as `$inc`, `$push`, `$unset`.",
};

export const FILTER: Schema = { type: "object", description: "A filter of the query language; {} matches all." };
export const SORT: Schema = {
  type: ["array", "string"],
  items: { type: "string" },
  description: "Paths, `-` in front for descending; `_id` is appended.",
};
export const PATHS: Schema = { type: "array", items: { type: "string" } };
export const POSITION: Schema = { type: "string", description: "A place in the commit order." };
export const INDEX: Schema = object(
  {
    paths: { type: "array", items: { type: "string" }, maxItems: LIMITS.indexPaths },
    unique: { type: "boolean" },
  },
  ["paths"],
);
export const INCLUDED: Schema = {
  type: "object",
  description: "Documents that `expand` brought, by collection and id.",
  additionalProperties: { type: "object", additionalProperties: DOCUMENT },
};
export const REFERENCES: Schema = {
  type: "object",
  description: "The collection that each path of `expand` leads to.",
  additionalProperties: { type: "string" },
};
export const PAGE: Schema = object(
  {
    documents: { type: "array", items: DOCUMENT },
    next: { type: "string", description: "Sent back as `after` it gives the next page; absent on the last one." },
    position: POSITION,
    included: INCLUDED,
    references: REFERENCES,
    advice: object({ index: INDEX, message: { type: "string" } }),
  },
  ["documents", "position"],
);
