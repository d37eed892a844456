/** http-api.md "Limits": a reply holds 8 MiB, to the byte; an export is a stream and has no such end. */
import t, { type Test } from "tap";
import { type Answer, startApp } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";

const LIMIT = 8 * 1024 * 1024;
/** Two bytes a character: what is counted is bytes. */
const LARGE = "é".repeat(450_000);

onEachEngine(t, async (t, engine) => {
  const app = await startApp({ engine });
  t.teardown(() => app.close());

  /** The last of the documents, whose text takes what is left. */
  function putLast(bytes: number): Promise<Answer> {
    const text = "é".repeat(Math.floor(bytes / 2)) + "x".repeat(bytes % 2);
    return app.send("PUT", "/v1/documents/large/9", { body: { n: 9, text, owners: [] } });
  }

  for (let n = 0; n < 9; n++) {
    await app.send("PUT", `/v1/documents/large/${n}`, { body: { n, text: `${n}${LARGE}`, owners: [] } });
  }
  const ref = { type: "string", ref: "large" };
  const schema = { type: "object", properties: { books: { type: "array", items: ref } } };
  await app.send("POST", "/v1/admin/collections", { body: { name: "readers", schema } });
  const books = Array.from({ length: 10 }, (_, n) => `${n}`);
  await app.send("PUT", "/v1/documents/readers/ada", { body: { books } });

  /** Asks until the reply is exactly at the limit, then for one byte more. */
  async function atTheEdge(t: Test, ask: () => Promise<Answer>): Promise<void> {
    await putLast(100_000);
    const smaller = await ask();
    t.equal(smaller.status, 200, smaller.text.slice(0, 300));
    const rest = LIMIT - Buffer.byteLength(smaller.text);
    t.ok(rest > 0 && rest < 900_000, `${rest} bytes are left`);
    await putLast(100_000 + rest);
    const largest = await ask();
    t.strictSame([largest.status, Number(largest.headers["content-length"])], [200, LIMIT]);
    t.equal(Buffer.byteLength(largest.text), LIMIT);
    await putLast(100_001 + rest);
    const over = await ask();
    t.strictSame([over.status, over.json.error?.code], [413, "payload_too_large"]);
    t.match(over.json.error.message, /lower the limit or select fewer fields/);
  }

  const collection = "/v1/documents/large";
  const questions: Record<string, () => Promise<Answer>> = {
    "a page": () => app.send("GET", collection),
    "a page asked for in a body": () => app.send("POST", `${collection}/query`, { body: { sort: ["-n"] } }),
    "a page of selected fields": () => app.send("GET", `${collection}?select=text`),
    "a page of plain values": () => app.send("GET", `${collection}?types=plain`),
    "a page with what it refers to": () => app.send("GET", "/v1/documents/readers?expand=books"),
    "a document with what it refers to": () => app.send("GET", "/v1/documents/readers/ada?expand=books"),
    "distinct values": () => app.send("POST", `${collection}/distinct`, { body: { path: "text" } }),
    groups: () =>
      app.send("POST", `${collection}/aggregate`, { body: { group: ["n"], out: { text: { max: "text" } } } }),
  };
  // What is shown is made of rows in the same way; how a store comes to them differs in these.
  const asked = engine.name === "sqlite" ? questions : { groups: questions.groups };
  for (const [what, ask] of Object.entries(asked) as [string, () => Promise<Answer>][]) {
    t.test(`${what}: 8 MiB pass, one byte more is refused with what to do`, (t) => atTheEdge(t, ask));
  }

  t.test("fewer documents or fields of a page that is too large pass", async (t) => {
    await putLast(900_000);
    t.equal((await app.send("GET", collection)).status, 413);
    t.equal((await app.send("GET", `${collection}?limit=8`)).status, 200);
    t.equal((await app.send("GET", `${collection}?select=n`)).json.documents.length, 10);
  });

  t.test("an export is as large as its collection", async (t) => {
    await putLast(900_000);
    const { status, text } = await app.send("GET", "/v1/admin/collections/large/export");
    t.equal(status, 200);
    t.ok(Buffer.byteLength(text) > LIMIT, `${Buffer.byteLength(text)} bytes`);
    t.equal(text.trim().split("\n").length, 10);
  });
});
