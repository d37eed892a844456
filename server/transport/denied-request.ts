import type { FastifyRequest } from "fastify";
import type { GalleyError } from "#protocol/errors";
import { isDenial } from "../access/explaining/denials.ts";
import type { Action } from "../access/scopes.ts";
import type { DeniedRequest } from "../documents/explain-contract.ts";
import { DeniedProfile } from "../documents/profiles.ts";
import type { PathParams } from "./route.ts";

const COLLECTION = "/v1/documents/{collection}";
/** What each route about documents does; of a batch its operations tell. */
const ACTIONS: Readonly<Record<string, Action>> = {
  [`POST ${COLLECTION}`]: "create",
  [`GET ${COLLECTION}`]: "list",
  [`POST ${COLLECTION}/query`]: "list",
  [`POST ${COLLECTION}/count`]: "list",
  [`POST ${COLLECTION}/distinct`]: "list",
  [`POST ${COLLECTION}/aggregate`]: "list",
  [`GET ${COLLECTION}/{id}`]: "get",
  [`PUT ${COLLECTION}/{id}`]: "update",
  [`PATCH ${COLLECTION}/{id}`]: "update",
  [`DELETE ${COLLECTION}/{id}`]: "delete",
};
const OPERATIONS: Readonly<Record<string, Action>> = {
  ...{ create: "create", set: "update", update: "update", delete: "delete", check: "get" },
};

type DeniedDocument = Omit<DeniedRequest, "principal">;

/** What the rules denied to a user or to nobody; undefined if this is no such thing. */
export function deniedRequest(request: FastifyRequest, error: GalleyError): DeniedRequest | undefined {
  const { caller } = request;
  if (!isDenial(caller, error)) return undefined;
  if (error.cause instanceof DeniedProfile) return error.cause.denied;
  const document = deniedDocument(request, error);
  return document && { principal: caller, ...document };
}

function deniedDocument(request: FastifyRequest, error: GalleyError): DeniedDocument | undefined {
  const { route, body } = request;
  if (!route) return undefined;
  if (route.path === "/v1/batch") return deniedOperation(body, error);
  const action = ACTIONS[`${route.method} ${route.path}`];
  if (action === undefined) return undefined;
  const { collection, id } = request.params as PathParams;
  return { action, collection, ...(id !== undefined && { id }), ...sentIn(route.method, action, body) };
}

function sentIn(method: string, action: Action, body: unknown): Partial<DeniedDocument> {
  if (body === undefined) return {};
  if (action === "create") return { document: body };
  if (action === "update") return method === "PUT" ? { next: body } : { update: body };
  const { filter } = body as { filter?: unknown };
  return action === "list" && filter !== undefined ? { filter } : {};
}

function deniedOperation(body: unknown, { details }: GalleyError): DeniedDocument | undefined {
  const { operations } = (body ?? {}) as { operations?: readonly Record<string, unknown>[] };
  const { op, collection, id, document, update } = operations?.[details.operation ?? -1] ?? {};
  const action = OPERATIONS[String(op)];
  if (action === undefined || typeof collection !== "string") return undefined;
  return {
    ...{ action, collection },
    ...(typeof id === "string" && { id }),
    ...(document !== undefined && { [op === "set" ? "next" : "document"]: document }),
    ...(update !== undefined && { update }),
  };
}
