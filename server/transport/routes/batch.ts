import { LIMITS } from "#protocol/limits";
import type { Authorizer } from "../../access/authorize.ts";
import type { Principal } from "../../access/principal.ts";
import type { RequestLimits } from "../../accounts/contract.ts";
import type { DocumentService } from "../../documents/contract.ts";
import { idempotencyOf } from "../conditions.ts";
import type { Replies } from "../reply.ts";
import type { Call, Route } from "../route.ts";
import { object } from "../schema.ts";
import { scopeOf } from "./names.ts";
import { POSITION } from "./schemas.ts";

/** Up to 500 operations, all or nothing; query-language.md 9. */
export function batchRoutes(
  documents: DocumentService,
  access: Authorizer,
  replies: Replies,
  limits: RequestLimits,
): Route[] {
  return [
    {
      method: "POST",
      path: "/v1/batch",
      summary: "Apply operations in order, all or nothing",
      tag: "Documents",
      parameters: ["types"],
      body: object({ operations: { type: "array", items: { type: "object" }, maxItems: LIMITS.batchOperations } }, [
        "operations",
      ]),
      counted: true,
      writes: true,
      idempotent: true,
      replies: {
        200: {
          description: "Ids and versions in the order of the operations; v is absent where the document is gone",
          schema: object(
            {
              results: { type: "array", items: object({ id: { type: "string" }, v: { type: "integer" } }, ["id"]) },
              position: POSITION,
            },
            ["results", "position"],
          ),
          headers: ["x-galley-position"],
        },
      },
      errors: [
        "not_found",
        "already_exists",
        "version_conflict",
        "unique_violation",
        "schema_violation",
        "path_conflict",
        "conflicting_paths",
        "contention",
        "payload_too_large",
        "idempotency_mismatch",
        "storage_full",
      ],
      // Each operation names its collection, so each is judged by itself, by the service.
      authorize: (principal) => principal,
      async answer({ scope: principal, body, parameters, request, reply }: Call<Principal>) {
        limits.takeBatch(principal, (body as { operations: readonly unknown[] }).operations.length);
        const idempotency = idempotencyOf(request);
        const { results, position } = await documents.batch(
          (collection) => scopeOf(access, principal, collection),
          body,
          {
            plain: parameters.types === "plain",
            ...(idempotency === undefined ? {} : { idempotency }),
          },
        );
        replies.json(reply, 200, JSON.stringify({ results, position }), ["x-galley-position", position]);
      },
    },
  ];
}
