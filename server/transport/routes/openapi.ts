import { describeApi } from "../openapi.ts";
import type { Replies } from "../reply.ts";
import type { Call, Route } from "../route.ts";

/** The OpenAPI document of these routes and itself, written at its first reading. */
export function openApiRoute(replies: Replies, routes: readonly Route[]): Route {
  let text: string | undefined;
  const route: Route = {
    method: "GET",
    path: "/v1/openapi.json",
    summary: "This document",
    tag: "API",
    open: true,
    replies: { 200: { description: "OpenAPI 3.1", schema: { type: "object" } } },
    errors: [],
    authorize: () => undefined,
    answer({ reply }: Call<undefined>) {
      text ??= JSON.stringify(describeApi([...routes, route]));
      replies.json(reply, 200, text);
    },
  };
  return route;
}
