import { ERRORS, type ErrorCode } from "#protocol/errors";
import { PARAMETERS } from "./parameters.ts";
import type { ReplyShape, Route } from "./route.ts";
import type { Schema } from "./schema.ts";

/** Codes that every route may answer, and those that come with a body or a credential. */
const ALWAYS: readonly ErrorCode[] = ["invalid_argument", "internal", "unavailable", "draining"];
const WITH_CREDENTIAL: readonly ErrorCode[] = ["unauthenticated", "permission_denied", "rate_limited"];
const WITH_BODY: readonly ErrorCode[] = ["payload_too_large", "unsupported_media_type", "timeout"];

const HEADERS: Readonly<Record<string, { description: string; schema: Schema }>> = {
  etag: { description: "The document's version and the shape it was read in.", schema: { type: "string" } },
  location: { description: "Where it now is.", schema: { type: "string" } },
  "x-galley-position": { description: "The commit's place in the order.", schema: { type: "string" } },
  "x-request-id": { description: "Names this request in the server's log.", schema: { type: "string" } },
};

const REQUEST_HEADERS = {
  "If-Match": "The ETag, or its version, that must still hold; * for any. On a read: else 412.",
  "If-None-Match": "On a read: an ETag that makes the answer 304. On a write: *, the document must not exist.",
  "Idempotency-Key": "1 to 255 visible ASCII characters: within 24 hours the write takes effect once.",
} as const;

/** Writes the OpenAPI 3.1 document from the very routes that the server answers by. */
export function describeApi(routes: readonly Route[]): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    if (route.undescribed) continue;
    const path = paths[route.path] ?? {};
    path[route.method.toLowerCase()] = operation(route);
    paths[route.path] = path;
  }
  return {
    openapi: "3.1.0",
    info: { title: "Galley", version: "1", description: "Documents over HTTP. HEAD answers wherever GET does." },
    servers: [{ url: "/" }],
    security: [{ bearer: [] }],
    tags: [...new Set(routes.map((route) => route.tag))].map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: { bearer: { type: "http", scheme: "bearer", description: "A service key: gsk_…" } },
      schemas: { Error: errorSchema() },
    },
  };
}

function operation(route: Route): object {
  const parameters = [
    ...[...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
      name,
      in: "path",
      required: true,
      schema: { type: "string" },
    })),
    ...(route.parameters ?? []).map((name) => {
      const { schema, description, form } = PARAMETERS[name];
      const place = { name, in: "query", description };
      if (form === "json") return { ...place, content: { "application/json": { schema } } };
      return form === "list" ? { ...place, schema, style: "form", explode: false } : { ...place, schema };
    }),
    ...(route.conditional ? [header("If-Match"), header("If-None-Match")] : []),
    ...(route.idempotent ? [header("Idempotency-Key")] : []),
  ];
  return {
    summary: route.summary,
    operationId: operationId(route),
    tags: [route.tag],
    ...(parameters.length > 0 ? { parameters } : {}),
    ...requestBody(route),
    responses: responses(route),
    ...(route.open ? { security: [] } : {}),
  };
}

function header(name: keyof typeof REQUEST_HEADERS): object {
  return { name, in: "header", description: REQUEST_HEADERS[name], schema: { type: "string" } };
}

function requestBody({ body, bodyOptional, ndjson }: Route): object {
  if (ndjson)
    return { requestBody: { required: true, content: { "application/x-ndjson": { schema: { type: "object" } } } } };
  if (body === undefined) return {};
  return { requestBody: { required: !bodyOptional, content: { "application/json": { schema: body } } } };
}

function responses(route: Route): Record<string, object> {
  const all: Record<string, object> = {};
  for (const [status, shape] of Object.entries(route.replies)) all[status] = reply(shape);
  const codes = new Set([
    ...ALWAYS,
    ...(route.open ? [] : WITH_CREDENTIAL),
    ...(route.body !== undefined || route.ndjson ? WITH_BODY : []),
    ...route.errors,
  ]);
  for (const code of [...codes].sort((a, b) => ERRORS[a].status - ERRORS[b].status)) {
    const { status } = ERRORS[code];
    const before = all[status] as { description: string } | undefined;
    all[status] = {
      description: before === undefined ? `\`${code}\`` : `${before.description}, \`${code}\``,
      headers: { "x-request-id": HEADERS["x-request-id"] },
      content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
    };
  }
  return all;
}

function reply({ description, schema, type = "application/json", headers = [] }: ReplyShape): object {
  const names = ["x-request-id", ...headers];
  return {
    description,
    headers: Object.fromEntries(names.map((name) => [name, HEADERS[name]])),
    ...(schema === undefined && type === "application/json" ? {} : { content: { [type]: { schema: schema ?? {} } } }),
  };
}

/** `GET /v1/documents/{collection}/{id}` as `get_documents_collection_id`. */
function operationId({ method, path }: Route): string {
  const words = path.replace(/^\/v1/, "").match(/[a-z]+/g) ?? ["root"];
  return [method.toLowerCase(), ...words].join("_");
}

function errorSchema(): object {
  const fault = {
    type: "object",
    properties: { path: { type: "string" }, code: { type: "string" }, message: { type: "string" } },
    required: ["path", "code", "message"],
  };
  return {
    type: "object",
    required: ["error"],
    properties: {
      error: {
        type: "object",
        required: ["code", "message", "requestId"],
        properties: {
          code: { type: "string", enum: Object.keys(ERRORS) },
          message: { type: "string", description: "What to do next, in words." },
          details: {
            type: "object",
            properties: {
              faults: { type: "array", items: fault },
              reason: { type: "string" },
              scope: { type: "string" },
              operation: { type: "integer" },
              outcome: { type: "string", enum: ["not_applied", "unknown"] },
            },
          },
          requestId: { type: "string" },
        },
      },
    },
  };
}
