import type { Test } from "tap";
import type { Answer, TestApp } from "../support/app.ts";

/** Sends one filter through every door that takes one; attack-cases.md "Doors". */
export async function throughDoors(app: TestApp, collection: string, filter: unknown): Promise<[string, Answer][]> {
  const base = `/v1/documents/${collection}`;
  const text = typeof filter === "string" ? filter : JSON.stringify(filter);
  const body = (rest: string) => `{"filter":${text}${rest}}`;
  const doors: [string, Promise<Answer>][] = [
    ["query", app.send("POST", `${base}/query`, { body: body("") })],
    ["count", app.send("POST", `${base}/count`, { body: body("") })],
    ["distinct", app.send("POST", `${base}/distinct`, { body: body(',"path":"a"') })],
    ["aggregate", app.send("POST", `${base}/aggregate`, { body: body(',"group":[],"out":{"n":{"count":true}}') })],
  ];
  const inUrl = encodeURIComponent(text);
  // A longer one is stopped by the limit on headers, which has a test of its own.
  if (inUrl.length < 12_000) doors.push(["?filter=", app.send("GET", `${base}?filter=${inUrl}`)]);
  return Promise.all(doors.map(async ([door, answer]) => [door, await answer] as [string, Answer]));
}

/** One attack: whatever it does, the server answers within a second afterwards. */
export function attack(t: Test, app: TestApp, name: string, run: (t: Test) => Promise<void>): void {
  t.test(name, async (t) => {
    await run(t);
    const began = performance.now();
    const { status } = await app.send("GET", "/v1/health", { as: null });
    t.equal(status, 200);
    t.ok(performance.now() - began < 1000, "the server answers within a second afterwards");
  });
}
