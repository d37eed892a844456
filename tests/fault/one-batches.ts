import { MongoClient } from "mongodb";
import type { Test } from "tap";
import { type CommandFailure, failCommand } from "../support/fail-points.ts";
import type { GalleyOnMongodb } from "../support/galley-on-mongodb.ts";
import type { LedgerAnswer } from "../support/ledger.ts";
import type { TcpProxy } from "../support/tcp-proxy.ts";
import { until } from "../support/until.ts";

/**
 * fault-cases.md F18, F19: batches that break at their commit or on their way, and a pool that slow queries fill.
 *
 * @param host of the server, past the proxy
 */
export function testBatches(t: Test, host: string, proxy: TcpProxy, galley: GalleyOnMongodb): void {
  /** Of 500 where the law names that size; what else fails is judged on fewer. */
  const COMMIT_FAILURES: Readonly<Record<string, CommandFailure & { readonly size: number }>> = {
    "a write conflict at the commit": {
      size: 500,
      failCommands: ["commitTransaction"],
      errorCode: 112,
      errorLabels: ["TransientTransactionError"],
    },
    "a commit whose answer is lost": { size: 500, failCommands: ["commitTransaction"], closeConnection: true },
    "a commit that the server cannot tell of": {
      size: 100,
      failCommands: ["commitTransaction"],
      errorCode: 50,
      errorLabels: ["UnknownTransactionCommitResult"],
    },
    "a commit that is not confirmed": {
      size: 100,
      failCommands: ["commitTransaction"],
      writeConcernError: { code: 64, errmsg: "waiting for replication timed out" },
    },
    "a primary that goes at the commit": {
      size: 100,
      failCommands: ["commitTransaction"],
      errorCode: 11_600,
      errorLabels: ["RetryableWriteError"],
    },
    "a hang-up at the first write": { size: 100, failCommands: ["insert"], closeConnection: true },
    "a conflict at the first write": {
      size: 100,
      failCommands: ["insert"],
      errorCode: 112,
      errorLabels: ["TransientTransactionError"],
    },
    "an abort that fails": { size: 100, failCommands: ["insert", "abortTransaction"], closeConnection: true },
  };

  t.test("F18 a large batch meets a fault at its commit: it is there whole and once, or not at all", async (t) => {
    const client = new MongoClient(galley.mongodbUrl);
    t.teardown(() => client.close());
    let n = 0;
    for (const [name, { size, ...failure }] of Object.entries(COMMIT_FAILURES)) {
      for (const times of [1, 100]) {
        for (const key of [undefined, `key-${n}`]) {
          const group = n++;
          const operations = Array.from({ length: size }, (_, i) => ({
            op: "create",
            collection: "batches",
            id: `${group}-${i}`,
            document: { group },
          }));
          const point = await failCommand(t, host, failure, times);
          const answer = await galley.send("POST", "/v1/batch", { operations }, key);
          await point.off();
          const stored = () => client.db().collection("batches").countDocuments({ group });
          const title = `${name}, ${times} times, ${key ? "with" : "without"} a key`;
          t.same(judge(answer, size, await stored()), [], title);
          if (key === undefined) continue;
          const again = await galley.send("POST", "/v1/batch", { operations }, key);
          t.match([again?.status, await stored()], [200, size], `${title}: repeated, it is there once`);
        }
      }
    }
  });

  t.test("F18 a proxy cuts a batch at any byte: it is there whole or not at all", async (t) => {
    const client = new MongoClient(galley.mongodbUrl);
    t.teardown(() => client.close());
    for (let group = 0; group < 20; group++) {
      const operations = Array.from({ length: 100 }, (_, i) => ({
        op: "create",
        collection: "cut",
        id: `${group}-${i}`,
        document: { group },
      }));
      // Every connection may carry so many bytes more; the monitors' own are few.
      proxy.harm({ app: "galley", [group % 2 ? "request" : "answer"]: { swallow: true, pass: group * 800 } });
      const sent = galley.send("POST", "/v1/batch", { operations }, `cut-${group}`);
      const end = performance.now() + 20 + 2 * group;
      await until(() => performance.now() > end);
      proxy.cut({ app: "galley" });
      await proxy.heal();
      const answer = await sent;
      await until(async () => (await galley.status("ready")) === 200, 20);
      const again = await galley.send("POST", "/v1/batch", { operations }, `cut-${group}`);
      const stored = await client.db().collection("cut").countDocuments({ group });
      t.match([again?.status, stored], [200, 100], `cut ${group} (${answer?.status}): once, and whole`);
    }
  });

  t.test("F19 slow queries fill the pool: others are answered in time, and all flows afterwards", async (t) => {
    await galley.send("PUT", "/v1/documents/posts/a", { n: 1 }, undefined);
    const point = await failCommand(
      t,
      host,
      { failCommands: ["find", "aggregate"], blockConnection: true, blockTimeMS: 3000 },
      "always",
    );
    const began = performance.now();
    const query = (n: number) => galley.send("POST", "/v1/documents/posts/query", { filter: { n } }, undefined);
    const slow = Array.from({ length: 300 }, (_, n) => query(n));
    await point.met(50);
    const healthy = performance.now();
    t.equal(await galley.status("health"), 200);
    t.ok(performance.now() - healthy < 2000, "health answers at once");
    const statuses = (await Promise.all(slow)).map((answer) => answer?.status);
    t.same(
      statuses.filter((status) => ![200, 503, 504].includes(status ?? 0)),
      [],
    );
    t.ok(performance.now() - began < 12_000, `all were answered after ${(performance.now() - began).toFixed(0)} ms`);
    await point.off();
    t.match(await galley.send("GET", "/v1/documents/posts/a", undefined, undefined), { status: 200, body: { n: 1 } });
    t.equal((await query(1))?.status, 200);
  });
}

/** What does not fit together in an answer to a batch of creates and what is stored of it. */
function judge(answer: LedgerAnswer | undefined, size: number, stored: number): string[] {
  const { error } = (answer?.body ?? {}) as { error?: { details?: { outcome?: string } } };
  if (stored !== 0 && stored !== size) return [`${stored} of ${size} are stored`];
  if (answer?.status === 200) return stored === size ? [] : ["confirmed and absent"];
  if (error?.details?.outcome === "not_applied") return stored === 0 ? [] : ["there, and told not_applied"];
  return error?.details?.outcome === "unknown" ? [] : [`no outcome: ${JSON.stringify(answer)}`];
}
