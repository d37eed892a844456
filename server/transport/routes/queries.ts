import { LIMITS } from "#protocol/limits";
import type { Authorizer, Scope } from "../../access/authorize.ts";
import type { Principal } from "../../access/principal.ts";
import type { DocumentService, PageReply } from "../../documents/contract.ts";
import { withinLimit } from "../../documents/views.ts";
import { goneSignal } from "../gone-signal.ts";
import type { RouteTools } from "../lines.ts";
import type { Call, PathParams, Route } from "../route.ts";
import { object } from "../schema.ts";
import { scopeFor } from "./names.ts";
import { FILTER, PAGE, PATHS, POSITION, SORT } from "./schemas.ts";

const COLLECTION = "/v1/documents/{collection}";
const ERRORS = ["index_required", "query_too_expensive", "field_not_queryable", "timeout"] as const;

/** Questions to a collection: pages, counts, distinct values, groups. */
export function queryRoutes(
  documents: DocumentService,
  access: Authorizer,
  { replies, hint }: Pick<RouteTools, "replies" | "hint">,
): Route[] {
  const shared = {
    tag: "Queries",
    counted: true,
    errors: ERRORS,
    authorize: (principal: Principal, { collection }: PathParams) => scopeFor(access, principal, collection, "list"),
  } as const;
  const page = { 200: { description: "A page of documents", schema: PAGE } };
  return [
    {
      ...shared,
      method: "GET",
      path: COLLECTION,
      summary: "List documents, with the question in the URL",
      parameters: ["filter", "sort", "limit", "after", "select", "expand", "types"],
      replies: page,
      errors: [...ERRORS, "cursor_mismatch", "payload_too_large"],
      async answer(call: Call<Scope>) {
        const { filter, sort, limit, after, select, expand, types } = call.parameters;
        const view = { select, expand, plain: types === "plain" };
        const signal = goneSignal(call.reply);
        sendPage(call, await documents.find(call.scope, { filter, sort, limit, after, ...view, signal }));
      },
    },
    {
      ...shared,
      method: "POST",
      path: `${COLLECTION}/query`,
      summary: "List documents, with the question in the body",
      parameters: ["types"],
      body: object({
        filter: FILTER,
        sort: SORT,
        limit: { type: "integer", minimum: 1, maximum: LIMITS.pageMax },
        after: { type: "string" },
        select: PATHS,
        expand: PATHS,
      }),
      replies: page,
      errors: [...ERRORS, "cursor_mismatch", "payload_too_large"],
      async answer(call: Call<Scope>) {
        sendPage(call, await documents.find(call.scope, question(call)));
      },
    },
    {
      ...shared,
      method: "POST",
      path: `${COLLECTION}/count`,
      summary: "Count documents, no further than a cap",
      parameters: ["types"],
      body: object({ filter: FILTER, cap: { type: "integer", minimum: 1, maximum: LIMITS.countMax } }),
      replies: {
        200: {
          description: "more: there are further ones beyond the cap",
          schema: object({ count: { type: "integer" }, more: { type: "boolean" }, position: POSITION }),
        },
      },
      async answer(call: Call<Scope>) {
        const { count, more, position } = await documents.count(call.scope, question(call));
        replies.json(call.reply, 200, `{"count":${count},"more":${more},"position":${JSON.stringify(position)}}`);
      },
    },
    {
      ...shared,
      method: "POST",
      path: `${COLLECTION}/distinct`,
      summary: "The distinct values of a path",
      parameters: ["types"],
      body: object({ path: { type: "string" }, filter: FILTER }, ["path"]),
      replies: {
        200: {
          description: "Values in order; more: there are further ones",
          schema: object({ values: { type: "array" }, more: { type: "boolean" }, position: POSITION }),
        },
      },
      async answer(call: Call<Scope>) {
        const { values, more, position } = await documents.distinct(call.scope, question(call));
        const text = `{"values":${values},"more":${more},"position":${JSON.stringify(position)}}`;
        replies.json(call.reply, 200, withinLimit(text));
      },
    },
    {
      ...shared,
      method: "POST",
      path: `${COLLECTION}/aggregate`,
      summary: "Group documents; count, sum, average, least and greatest of each group",
      parameters: ["types"],
      body: object(
        {
          filter: FILTER,
          group: PATHS,
          out: { type: "object" },
          sort: SORT,
          limit: { type: "integer", minimum: 1, maximum: LIMITS.groupsReturned },
        },
        ["out"],
      ),
      replies: {
        200: {
          description: "Groups; more: there are further ones",
          schema: object({
            groups: { type: "array", items: object({ key: { type: "array" }, out: { type: "object" } }) },
            more: { type: "boolean" },
            position: POSITION,
          }),
        },
      },
      async answer(call: Call<Scope>) {
        const { groups, more, position } = await documents.aggregate(call.scope, question(call));
        const text = `{"groups":${groups},"more":${more},"position":${JSON.stringify(position)}}`;
        replies.json(call.reply, 200, withinLimit(text));
      },
    },
  ];

  function sendPage({ request, params, reply }: Call<Scope>, page: PageReply): void {
    const { documents: texts, next, position, expansion, advice } = page;
    let text = `{"documents":[${texts.join(",")}]`;
    if (next !== undefined) text += `,"next":${JSON.stringify(next)}`;
    text += `,"position":${JSON.stringify(position)}`;
    if (expansion !== undefined) {
      text += `,"included":${expansion.included},"references":${expansion.references}`;
    }
    const meant = texts.length === 0 ? hint(request, params.collection) : undefined;
    const told = meant === undefined ? advice : { ...advice, message: meant };
    if (told !== undefined) text += `,"advice":${JSON.stringify(told)}`;
    replies.json(reply, 200, withinLimit(`${text}}`));
  }
}

function question({ body, parameters, reply }: Call<Scope>): Record<string, unknown> {
  return { ...(body as object), plain: parameters.types === "plain", signal: goneSignal(reply) };
}
