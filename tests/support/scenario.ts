import { isDeepStrictEqual } from "node:util";
import type { Test } from "tap";
import type { Answer, SendOptions, TestApp } from "./app.ts";

/** One row of an API test: as whom, what, status, what the answer must show and must not show. */
export interface Row extends SendOptions {
  readonly name: string;
  /** Method and path, as in `GET /v1/documents/posts/p1`. */
  readonly send: string;
  readonly status: number;
  /** Members that the JSON answer must have, at least, at any depth; or text that it must hold. */
  readonly shows?: object | string;
  /** Texts that stand nowhere in the answer, headers included. */
  readonly hides?: readonly string[];
  /** Headers it must carry: a text, a pattern, or null for absent. */
  readonly carries?: Readonly<Record<string, string | RegExp | null>>;
}

/** What no answer may show to anyone. */
const NEVER = ["node_modules", "fastify", "FST_ERR", "SQLITE", "SqliteError", "    at ", ".ts:", "x-powered-by"];

/** Sends the rows in order, a subtest each. */
export async function scenario(t: Test, app: TestApp, rows: readonly Row[]): Promise<void> {
  for (const row of rows) {
    await t.test(row.name, async (t) => {
      const space = row.send.indexOf(" ");
      const answer = await app.send(row.send.slice(0, space), row.send.slice(space + 1), row);
      check(t, row, answer);
    });
  }
}

function check(t: Test, row: Row, answer: Answer): void {
  t.equal(answer.status, row.status, `${row.send}: ${answer.text.slice(0, 300)}`);
  if (typeof row.shows === "string")
    t.ok(answer.text.includes(row.shows), `shows ${row.shows}: ${answer.text.slice(0, 500)}`);
  else if (row.shows !== undefined) t.equal(missing(row.shows, answer.json, ""), undefined, answer.text.slice(0, 500));
  const everything = `${JSON.stringify(answer.headers)}\n${answer.text}`;
  for (const text of [...NEVER, ...(row.hides ?? [])]) t.notOk(everything.includes(text), `hides ${text}`);
  t.type(answer.headers["x-request-id"], "string");
  for (const [name, expected] of Object.entries(row.carries ?? {})) {
    const value = answer.headers[name];
    if (expected === null) t.equal(value, undefined, `carries no ${name}`);
    else if (typeof expected === "string") t.equal(value, expected, `carries ${name}`);
    else t.match(String(value), expected, `carries ${name}`);
  }
  if (answer.status < 400) return;
  const { code, message, requestId } = answer.json?.error ?? {};
  t.match({ code, message, requestId }, { code: String, message: String, requestId: String }, "is an error envelope");
}

/** Where `actual` lacks what `expected` shows; undefined if nowhere. Arrays must be equal in length. */
function missing(expected: unknown, actual: unknown, at: string): string | undefined {
  if (typeof expected !== "object" || expected === null) {
    return isDeepStrictEqual(expected, actual) ? undefined : `${at}: ${JSON.stringify(actual)}`;
  }
  if (typeof actual !== "object" || actual === null) return `${at}: ${JSON.stringify(actual)}`;
  if (Array.isArray(expected) && (!Array.isArray(actual) || actual.length !== expected.length)) {
    return `${at}: ${JSON.stringify(actual)}`;
  }
  for (const [name, value] of Object.entries(expected)) {
    const fault = missing(value, (actual as Record<string, unknown>)[name], `${at}.${name}`);
    if (fault !== undefined) return fault;
  }
  return undefined;
}
