import t from "tap";
import { ERRORS, type ErrorCode } from "#protocol/errors";
import { startApp } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";

interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly { name: string; in: string; schema?: object; content?: object }[];
  readonly requestBody?: { content: Record<string, { schema: object }> };
  readonly responses: Record<string, { description: string; content?: Record<string, { schema: object }> }>;
  readonly security?: readonly object[];
}

onEachEngine(t, async (t, engine) => {
  const app = await startApp({ engine });
  t.teardown(() => app.close());
  const { json: api } = await app.send("GET", "/v1/openapi.json", { as: null });
  const operations: [string, string, Operation][] = Object.entries(api.paths as Record<string, object>)
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => [method.toUpperCase(), path, operation] as const),
    )
    .map(([method, path, operation]) => [method, path, operation as Operation]);

  t.test("it is OpenAPI 3.1 and names every route once", async (t) => {
    t.equal(api.openapi, "3.1.0");
    const names = operations.map(([method, path]) => `${method} ${path}`);
    for (const name of [
      "GET /v1/health",
      "GET /v1/ready",
      "POST /v1/documents/{collection}",
      "GET /v1/documents/{collection}",
      "POST /v1/documents/{collection}/query",
      "POST /v1/documents/{collection}/count",
      "POST /v1/documents/{collection}/distinct",
      "POST /v1/documents/{collection}/aggregate",
      "GET /v1/documents/{collection}/{id}",
      "PUT /v1/documents/{collection}/{id}",
      "PATCH /v1/documents/{collection}/{id}",
      "DELETE /v1/documents/{collection}/{id}",
      "POST /v1/batch",
      "GET /v1/admin/collections",
      "POST /v1/admin/collections/{collection}/import",
      "GET /v1/admin/collections/{collection}/export",
      "POST /v1/admin/keys/{id}/rotate",
      "GET /v1/openapi.json",
    ]) {
      t.ok(names.includes(name), name);
    }
    const ids = operations.map(([, , { operationId }]) => operationId);
    t.equal(new Set(ids).size, ids.length, "operation ids are unique");
  });

  t.test("every operation tells its parts: path parameters, body, replies, errors, security", async (t) => {
    for (const [method, path, operation] of operations) {
      const name = `${method} ${path}`;
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
      const told = (operation.parameters ?? []).filter((p) => p.in === "path").map((p) => p.name);
      t.strictSame(told, inPath, name);
      for (const parameter of operation.parameters ?? [])
        t.ok(parameter.schema ?? parameter.content, `${name} ${parameter.name}`);
      if (method === "PUT" || method === "PATCH") t.ok(operation.requestBody, `${name} has a body`);
      if (method === "GET") t.notOk(operation.requestBody, `${name} has no body`);
      t.ok(
        Object.keys(operation.responses).some((status) => Number(status) < 400),
        `${name} can succeed`,
      );
      for (const [status, { description, content }] of Object.entries(operation.responses)) {
        if (Number(status) < 400) continue;
        const codes = [...description.matchAll(/`(\w+)`/g)].map((match) => match[1] as ErrorCode);
        for (const code of codes) t.equal(ERRORS[code].status, Number(status), `${name} ${code}`);
        t.match(content, { "application/json": { schema: { $ref: "#/components/schemas/Error" } } });
      }
      const open = /^\/(?:sdk|console|auth\/|$)|health|ready|openapi/.test(path);
      t.strictSame(operation.security, open ? [] : undefined, `${name} security`);
      t.equal(operation.responses["401"] === undefined, open, `${name} 401`);
    }
  });

  t.test("what is described is answered: each operation is a route, for HEAD too", async (t) => {
    for (const [method, path] of operations) {
      const url = path.replace("{collection}", "posts").replace("{id}", "x");
      const methods = method === "GET" ? ["GET", "HEAD"] : [method];
      const statuses: number[] = [];
      for (const each of methods) {
        const answer = await app.send(each, url, { as: null, body: each === "POST" ? {} : undefined });
        t.notMatch(answer.text, "no such route", `${each} ${url}`);
        statuses.push(answer.status);
      }
      t.equal(new Set(statuses).size, 1, `${url}: HEAD has the verdict of GET`);
    }
  });

  t.test("it tells no version and no secret of this server", async (t) => {
    const { text } = await app.send("GET", "/v1/openapi.json", { as: null });
    t.notMatch(text, /fastify|sqlite|0\.1\.0|gsk_[a-z0-9]/i);
  });
});
