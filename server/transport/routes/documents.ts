import { GalleyError } from "#protocol/errors";
import type { Authorizer, Scope } from "../../access/authorize.ts";
import type { DocumentReply, DocumentService, WriteReply, WriteRequest } from "../../documents/contract.ts";
import { withinLimit } from "../../documents/views.ts";
import { checkReadCondition, entityTag, idempotencyOf, isKnown, writeConditions } from "../conditions.ts";
import type { HeaderList, Replies } from "../reply.ts";
import type { Call, Route } from "../route.ts";
import { scopeFor, scopeToPut } from "./names.ts";
import { CHANGE, DOCUMENT, FIELDS } from "./schemas.ts";

const COLLECTION = "/v1/documents/{collection}";
const ONE = "/v1/documents/{collection}/{id}";
const TAGGED = ["etag"];
const WRITTEN = ["etag", "x-galley-position"];

/**
 * One document: created, read, replaced, changed, deleted.
 *
 * @param isShared other programs write into the store
 */
export function documentRoutes(
  documents: DocumentService,
  access: Authorizer,
  replies: Replies,
  isShared: boolean,
): Route[] {
  return [
    {
      method: "POST",
      path: COLLECTION,
      summary: "Create a document; its _id is made if it has none",
      tag: "Documents",
      counted: true,
      parameters: ["types"],
      body: FIELDS,
      writes: true,
      idempotent: true,
      conditional: true,
      replies: { 201: { description: "The document", schema: DOCUMENT, headers: [...WRITTEN, "location"] } },
      errors: ["already_exists", "version_conflict", "unique_violation", "schema_violation", ...WRITE_ERRORS],
      authorize: (principal, { collection }) => scopeFor(access, principal, collection, "create"),
      async answer(call: Call<Scope>) {
        const { ifVersion, mustExist } = writeConditions(call.request);
        if (mustExist || ifVersion) {
          throw new GalleyError("version_conflict", "if-match: a document that is being created has no version");
        }
        sendWritten(call, await documents.create(call.scope, call.body, writeRequest(call)));
      },
    },
    {
      method: "GET",
      path: ONE,
      summary: "Read a document",
      tag: "Documents",
      counted: true,
      parameters: ["select", "expand", "types"],
      conditional: true,
      replies: {
        200: {
          description: "The document; with expand: {document, included, references}, without ETag",
          schema: DOCUMENT,
          headers: TAGGED,
        },
        304: { description: "It is what If-None-Match names", headers: TAGGED },
      },
      errors: ["not_found", "version_conflict"],
      authorize: (principal, { collection }) => scopeFor(access, principal, collection, "get"),
      async answer(call: Call<Scope>) {
        const { select, expand, types } = call.parameters;
        const found = await documents.get(call.scope, call.params.id, { select, expand, plain: types === "plain" });
        if (found === undefined) throw new GalleyError("not_found", "there is no such document");
        sendRead(call, found);
      },
    },
    {
      method: "PUT",
      path: ONE,
      summary: "Replace a document, or create it",
      tag: "Documents",
      counted: true,
      parameters: ["types"],
      body: FIELDS,
      writes: true,
      idempotent: true,
      conditional: true,
      replies: {
        200: { description: "Replaced", schema: DOCUMENT, headers: WRITTEN },
        201: { description: "Created", schema: DOCUMENT, headers: [...WRITTEN, "location"] },
      },
      errors: ["version_conflict", "unique_violation", "schema_violation", ...WRITE_ERRORS],
      authorize: (principal, { collection }) => scopeToPut(access, principal, collection),
      async answer(call: Call<Scope>) {
        sendWritten(call, await documents.set(call.scope, call.params.id, call.body, writeRequest(call)));
      },
    },
    {
      method: "PATCH",
      path: ONE,
      summary: "Change fields, or apply update operators",
      tag: "Documents",
      counted: true,
      parameters: ["upsert", "types"],
      body: CHANGE,
      writes: true,
      idempotent: true,
      conditional: true,
      replies: {
        200: { description: "The document as it now is", schema: DOCUMENT, headers: WRITTEN },
        201: { description: "Created, by upsert", schema: DOCUMENT, headers: [...WRITTEN, "location"] },
      },
      errors: [
        "not_found",
        "version_conflict",
        "contention",
        "unique_violation",
        "schema_violation",
        "path_conflict",
        "conflicting_paths",
        ...WRITE_ERRORS,
      ],
      authorize: (principal, { collection }) => scopeToPut(access, principal, collection),
      async answer(call: Call<Scope>) {
        const request = { ...writeRequest(call), upsert: call.parameters.upsert === "true" };
        sendWritten(call, await documents.update(call.scope, call.params.id, call.body, request));
      },
    },
    {
      method: "DELETE",
      path: ONE,
      summary: "Delete a document",
      tag: "Documents",
      counted: true,
      writes: true,
      idempotent: true,
      conditional: true,
      replies: { 204: { description: "Deleted", headers: ["x-galley-position"] } },
      errors: ["not_found", "version_conflict", "contention", ...WRITE_ERRORS],
      authorize: (principal, { collection }) => scopeFor(access, principal, collection, "delete"),
      async answer(call: Call<Scope>) {
        const { position } = await documents.delete(call.scope, call.params.id, writeRequest(call));
        replies.empty(call.reply, 204, ["x-galley-position", position]);
      },
    },
  ];

  function sendRead({ request, reply }: Call<unknown>, document: DocumentReply): void {
    const { text, expansion } = document;
    checkReadCondition(request.headers["if-match"], document.version);
    if (expansion !== undefined) {
      const { included, references } = expansion;
      const whole = `{"document":${text},"included":${included},"references":${references}}`;
      replies.json(reply, 200, withinLimit(whole));
      return;
    }
    const etag = entityTag(document, isShared);
    if (isKnown(request.headers["if-none-match"], etag)) replies.empty(reply, 304, ["etag", etag]);
    else replies.json(reply, 200, text, ["etag", etag]);
  }

  function sendWritten({ params, reply }: Call<unknown>, written: WriteReply): void {
    const headers: HeaderList = ["etag", entityTag(written, isShared)];
    headers.push("x-galley-position", written.position);
    if (written.created) headers.push("location", `/v1/documents/${params.collection}/${written.id}`);
    replies.json(reply, written.created ? 201 : 200, written.text, headers);
  }
}

const WRITE_ERRORS = ["payload_too_large", "idempotency_mismatch", "storage_full"] as const;

function writeRequest({ request, parameters }: Call<unknown>): WriteRequest {
  const idempotency = idempotencyOf(request);
  return {
    ...writeConditions(request),
    ...(idempotency === undefined ? {} : { idempotency }),
    plain: parameters.types === "plain",
  };
}
