import type { AdminScope } from "../../access/authorize.ts";
import type { CollectionService } from "../../documents/contract.ts";
import type { RouteTools } from "../lines.ts";
import { sendLines } from "../lines.ts";
import type { Call, Route } from "../route.ts";
import { object } from "../schema.ts";
import { COLLECTIONS, judged } from "./collections.ts";
import { DOCUMENT } from "./schemas.ts";

const NDJSON = "application/x-ndjson";

/** Documents in bulk, as NDJSON at the reader's pace, whatever their number. */
export function collectionDataRoutes(collections: CollectionService, tools: RouteTools): Route[] {
  return [
    {
      ...judged("write"),
      method: "POST",
      path: `${COLLECTIONS}/{collection}/import`,
      summary: "Set each row by its _id, made if absent; a refused row names its line and fault, the rest goes on",
      parameters: ["types"],
      ndjson: true,
      writes: true,
      replies: {
        200: {
          description: "One verdict a line; a line with `error` ends an import that broke off",
          type: NDJSON,
          schema: object({
            line: { type: "integer" },
            id: { type: "string" },
            status: { type: "string", enum: ["created", "updated", "unchanged", "refused"] },
            faults: { type: "array" },
          }),
        },
      },
      errors: ["storage_full"],
      async answer({ scope, params, parameters, body, request, reply }: Call<AdminScope>) {
        const rows = body === undefined ? [] : (body as AsyncIterable<Uint8Array>);
        const verdicts = collections.import(scope, params.collection, bytesOf(rows), parameters.types === "plain");
        await sendLines(tools, { request, reply, lines: verdicts, type: NDJSON, errorLine: true });
      },
    },
    {
      ...judged("read"),
      method: "GET",
      path: `${COLLECTIONS}/{collection}/export`,
      summary: "All documents in the order of their _id",
      parameters: ["types"],
      replies: { 200: { description: "One document a line", type: NDJSON, schema: DOCUMENT } },
      errors: ["not_found"],
      async answer({ scope, params, parameters, request, reply }: Call<AdminScope>) {
        const documents = collections.export(scope, params.collection, parameters.types === "plain");
        await sendLines(tools, { request, reply, lines: documents, type: NDJSON, errorLine: false });
      },
    },
  ];
}

async function* bytesOf(rows: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* rows;
}
