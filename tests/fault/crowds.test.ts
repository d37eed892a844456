/** Many at once on one document, one unique value, one id (promises.md T4; fault-cases.md F07, F28), on every engine. */
import t from "tap";
import { startApp } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";

/** On MongoDB ten thousand more, through a step-down: set-majority.ts. */
const INCREMENTS = { sqlite: 1000, mongodb: 500 };
const ROUNDS = 5;
const KEYED_ROUNDS = 2;

onEachEngine(t, async (t, engine) => {
  const app = await startApp({ engine, mode: "production" });
  t.teardown(() => app.close());
  const statuses = async (requests: readonly Promise<{ status: number }>[]) => {
    const counts: Record<number, number> = {};
    for (const { status } of await Promise.all(requests)) counts[status] = (counts[status] ?? 0) + 1;
    return counts;
  };
  const many = <T>(count: number, make: (n: number) => T) => Array.from({ length: count }, (_, n) => make(n));

  const increments = INCREMENTS[engine.name];
  t.test(
    `50 writers make ${increments} increments of one document: the sum is exact, versions only rise`,
    async (t) => {
      const path = "/v1/documents/counters/c";
      await app.send("PUT", path, { body: { n: 0 } });
      let left = increments;
      const refused: string[] = [];
      await Promise.all(
        many(50, async () => {
          let version = 0;
          while (left-- > 0) {
            const { status, json, text } = await app.send("PATCH", path, { body: { $inc: { n: 1 } } });
            if (status !== 200) refused.push(text);
            else if (json._v <= version) t.fail(`version ${json._v} after ${version}`);
            else version = json._v;
          }
        }),
      );
      t.same(refused.slice(0, 3), [], `${refused.length} had to give up`);
      t.equal((await app.send("GET", path)).json.n, increments);
    },
  );

  t.test("one id is created once, however many try at once", async (t) => {
    for (let round = 0; round < ROUNDS; round++) {
      const create = (n: number) => app.send("POST", "/v1/documents/ids", { body: { _id: `r${round}`, n } });
      t.same(await statuses(many(50, create)), { 201: 1, 409: 49 });
    }
  });

  t.test("a unique value is taken once: by creates, updates, replaces and batches at once", async (t) => {
    const body = { name: "accounts", indexes: [{ paths: ["email"], unique: true }] };
    t.equal((await app.send("POST", "/v1/admin/collections", { body })).status, 201);
    const accounts = "/v1/documents/accounts";
    for (let n = 0; n < 50; n++) await app.send("PUT", `${accounts}/old-${n}`, { body: { email: `old-${n}` } });
    for (let round = 0; round < ROUNDS; round++) {
      const email = `r${round}@example.com`;
      const before = (await app.send("POST", `${accounts}/count`, { body: { filter: { email } } })).json.count;
      t.equal(before, 0);
      const tries = many(50, (n) => {
        if (n % 5 === 1) return app.send("PATCH", `${accounts}/old-${n}`, { body: { email } });
        if (n % 5 === 2) return app.send("PUT", `${accounts}/r${round}-${n}`, { body: { email } });
        if (n % 5 !== 3) return app.send("POST", accounts, { body: { email, n } });
        const operations = [
          { op: "create", collection: "companions", id: `r${round}-${n}`, document: {} },
          { op: "create", collection: "accounts", id: `r${round}-${n}`, document: { email } },
        ];
        return app.send("POST", "/v1/batch", { body: { operations } });
      });
      const answers = await Promise.all(tries);
      const won = answers.filter(({ status }) => status < 300);
      t.equal(won.length, 1, JSON.stringify(await statuses(tries)));
      const codes = answers.filter(({ status }) => status >= 300).map(({ json }) => json.error.code);
      t.same([...new Set(codes)], ["unique_violation"]);
      const found = await app.send("POST", `${accounts}/query`, { body: { filter: { email } } });
      t.equal(found.json.documents.length, 1, "and one document has it");
    }
    const batches = (await app.send("POST", "/v1/documents/companions/query", { body: { limit: 1000 } })).json
      .documents;
    for (const { _id } of batches) {
      t.equal((await app.send("GET", `${accounts}/${_id}`)).status, 200, "a batch that lost left nothing behind");
    }
  });

  t.test("batches over the same documents in any order end as if one came after the other", async (t) => {
    const ids = many(8, (n) => `a${n}`);
    const path = "/v1/documents/purses";
    for (const id of ids) await app.send("PUT", `${path}/${id}`, { body: { coins: 1000 } });
    const move = (n: number) => {
      const [from, to] = [ids[n % 8], ids[(n * 5 + 3) % 8]];
      const change = (id: string | undefined, coins: number) => {
        return { op: "update", collection: "purses", id, update: { $inc: { coins } } };
      };
      return app.send("POST", "/v1/batch", { body: { operations: [change(from, -1), change(to, 1)] } });
    };
    const moves = many(200, move);
    const counts = await statuses(moves);
    t.same({ ...counts, 200: 0, 409: 0 }, { 200: 0, 409: 0 }, "done, or told contention");
    const { documents } = (await app.send("POST", `${path}/query`, { body: {} })).json;
    const sum = documents.reduce((total: number, { coins }: { coins: number }) => total + coins, 0);
    t.equal(sum, 8000, "no coin was made or lost");
    t.ok((counts[200] ?? 0) > 50, JSON.stringify(counts));
  });

  t.test("20 requests with one key have one effect and one answer, for 20 keys at once", async (t) => {
    await app.send("PUT", "/v1/documents/counters/keyed", { body: { n: 0 } });
    for (let round = 0; round < KEYED_ROUNDS; round++) {
      const answers = await Promise.all(
        many(400, (n) => {
          const headers = { "idempotency-key": `key-${round}-${n % 20}` };
          return app.send("PATCH", "/v1/documents/counters/keyed", { body: { $inc: { n: 1 } }, headers });
        }),
      );
      for (let key = 0; key < 20; key++) {
        const same = answers.filter((_, n) => n % 20 === key).map(({ status, text }) => `${status} ${text}`);
        t.equal(new Set(same).size, 1);
      }
    }
    t.equal((await app.send("GET", "/v1/documents/counters/keyed")).json.n, 20 * KEYED_ROUNDS);
  });
});
