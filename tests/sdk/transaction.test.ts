import { type Client, createClient } from "@galley/sdk";
import t from "tap";
import { startApp } from "../support/app.ts";
import { onEachEngine } from "../support/engines.ts";

interface Schema {
  accounts: { balance: number; tags?: string[]; at?: Date; owner?: { name: string } };
}

onEachEngine(t, async (t, engine) => {
  const app = await startApp({ engine });
  const connect = (options = {}): Client<Schema> =>
    createClient<Schema>({ url: app.url, serviceKey: app.key, ...options });
  const db = connect();
  const accounts = db.collection("accounts");
  t.teardown(() => {
    db.close();
    return app.close();
  });

  /** A client that counts and can hold back its batches. */
  function watched(before: (n: number) => Promise<void> = async () => {}) {
    const batches: { operations: Record<string, unknown>[] }[] = [];
    const client = connect({
      fetch: async (...[url, init]: Parameters<typeof fetch>) => {
        if (String(url).endsWith("/v1/batch")) {
          batches.push(JSON.parse(String(init?.body)));
          await before(batches.length);
        }
        return fetch(url, init);
      },
    });
    return { client, batches };
  }

  t.test("what was read is bound to its version, once for each document", async (t) => {
    await accounts.set("a", { balance: 100 });
    await accounts.set("b", { balance: 0 });
    const { client, batches } = watched();
    const result = await client.transaction(async (tx) => {
      const all = tx.collection("accounts");
      const [a, b, none] = [await all.get("a"), await all.get("b"), await all.get("none")];
      if (!a || !b || none) throw new Error("unexpected");
      all.update("a", { $inc: { balance: -10 } });
      all.update("a", { $push: { tags: "paid" } });
      all.update("c", { $inc: { balance: 10 } }, { upsert: true });
      return [a, b];
    });
    const operations = batches[0]?.operations.map(({ op, id, ifVersion }) => [op, id, ifVersion]);
    t.strictSame(operations, [
      ["update", "a", result[0]?._v],
      ["update", "a", undefined],
      ["update", "c", undefined],
      ["check", "b", result[1]?._v],
      ["check", "none", 0],
    ]);
    t.match(await accounts.get("a"), { balance: 90, tags: ["paid"] });
    t.match(await accounts.get("c"), { balance: 10 });
    client.close();
  });

  t.test("an option that is left undefined unbinds nothing", async (t) => {
    await accounts.set("a", { balance: 100 });
    const { client, batches } = watched();
    const read = await client.transaction(async (tx) => {
      const a = await tx.collection("accounts").get("a");
      tx.collection("accounts").update("a", { balance: 1 }, { ifVersion: undefined });
      return a;
    });
    t.equal(batches[0]?.operations[0]?.ifVersion, read?._v);
    client.close();
  });

  t.test("reads see the transaction's own writes, as the language computes them", async (t) => {
    await accounts.set("a", { balance: 1, tags: ["x"], owner: { name: "Ada" } });
    const before = await accounts.get("a");
    const seen = await db.transaction(async (tx) => {
      const all = tx.collection("accounts");
      const states: unknown[] = [];
      const look = async (id: string) => states.push(await all.get(id));
      all.update("a", { $inc: { balance: 4 }, $addToSet: { tags: { $each: ["x", "y"] } } });
      await look("a");
      all.update("a", { "owner.name": "Bob" });
      await look("a");
      all.set("a", { balance: 7, at: new Date(5) });
      await look("a");
      all.delete("a");
      await look("a");
      const id = all.create({ balance: 3 });
      await look(id);
      all.update("new", { $setOnInsert: { balance: 8 }, $now: ["at"] }, { upsert: true });
      await look("new");
      return states;
    });
    t.match(seen, [
      { _id: "a", balance: 5, tags: ["x", "y"], _v: before?._v, _createdAt: before?._createdAt },
      { balance: 5, owner: { name: "Bob" } },
      { balance: 7, at: new Date(5), _v: before?._v },
      null,
      { balance: 3, _v: 0, _id: /^[0-9a-v]{26}$/ },
      { _id: "new", balance: 8, at: Date },
    ]);
    t.notOk(Object.hasOwn(seen[2] as object, "tags"));
    t.equal(await accounts.get("a"), null);
  });

  t.test("a write that cannot be fails the read after it as it would fail the commit", async (t) => {
    await accounts.set("a", { balance: 1 });
    const run = (write: Parameters<Client<Schema>["transaction"]>[0]) => db.transaction(write);
    await t.rejects(
      run(async (tx) => {
        tx.collection("accounts").update("nobody", { balance: 1 });
        await tx.collection("accounts").get("nobody");
      }),
      { name: "ApiError", code: "not_found", status: 404 },
    );
    await t.rejects(
      run(async (tx) => {
        tx.collection("accounts").update("a", { $push: { balance: 1 } } as never);
        await tx.collection("accounts").get("a");
      }),
      { name: "ApiError", code: "path_conflict", status: 422 },
    );
    await t.rejects(
      run(async (tx) => {
        tx.collection("accounts").update("a", { $nope: {} } as never);
      }),
      { name: "ApiError", code: "invalid_argument" },
    );
    t.match(await accounts.get("a"), { balance: 1 });
  });

  t.test("it runs again when another one wrote what it read, and its writes happen once", async (t) => {
    await accounts.set("a", { balance: 1 });
    let runs = 0;
    const { client, batches } = watched(async (n) => {
      if (n < 3) await accounts.update("a", { $inc: { balance: 100 } });
    });
    const result = await client.transaction(async (tx) => {
      runs++;
      const a = await tx.collection("accounts").get("a");
      tx.collection("accounts").update("a", { balance: (a?.balance ?? 0) + 1 });
      return a?.balance;
    });
    t.strictSame([runs, batches.length, result], [3, 3, 201]);
    t.match(await accounts.get("a"), { balance: 202 });
    client.close();
  });

  t.test("a read-only transaction is a consistent state: it runs again if one of its documents moved", async (t) => {
    await accounts.set("a", { balance: 1 });
    await accounts.set("b", { balance: 1 });
    let runs = 0;
    const sum = await db.transaction(async (tx) => {
      const a = await tx.collection("accounts").get("a");
      if (++runs === 1) {
        await db.batch((other) => {
          other.collection("accounts").update("a", { balance: 0 });
          other.collection("accounts").update("b", { balance: 2 });
        });
      }
      const b = await tx.collection("accounts").get("b");
      return (a?.balance ?? 0) + (b?.balance ?? 0);
    });
    t.strictSame([runs, sum], [2, 2]);
  });

  t.test("attempts are counted, and an error of the function's own ends it at the first", async (t) => {
    await accounts.set("a", { balance: 1 });
    const { client, batches } = watched(async () => {
      await accounts.update("a", { $inc: { balance: 1 } });
    });
    const spoil = async (tx: Parameters<Parameters<Client<Schema>["transaction"]>[0]>[0]) => {
      await tx.collection("accounts").get("a");
      tx.collection("accounts").update("a", { balance: 0 });
    };
    await t.rejects(client.transaction(spoil, { attempts: 2 }), { code: "version_conflict", outcome: "not_applied" });
    t.equal(batches.length, 2);
    let runs = 0;
    await t.rejects(
      client.transaction(async (tx) => {
        runs++;
        tx.collection("accounts").delete("a");
        throw new Error("too little");
      }),
      { message: "too little" },
    );
    t.strictSame([runs, batches.length], [1, 2], "nothing was sent");
    client.close();
  });

  t.test("an abort ends it, and nothing may be written after its end", async (t) => {
    const abort = new AbortController();
    await t.rejects(
      db.transaction(
        async (tx) => {
          tx.collection("accounts").set("never", { balance: 1 });
          abort.abort("enough");
        },
        { signal: abort.signal },
      ),
      { code: "aborted", cause: "enough", outcome: "not_applied" },
    );
    t.equal(await accounts.get("never"), null);
    let late: (() => void) | undefined;
    await db.transaction(async (tx) => {
      late = () => tx.collection("accounts").delete("a");
    });
    t.throws(() => late?.(), { code: "failed_precondition" });
  });

  t.test("eight clients moving money end with exactly what they moved", async (t) => {
    const ids = ["m0", "m1", "m2", "m3"];
    for (const id of ids) await accounts.set(id, { balance: 100 });
    const expected = new Map(ids.map((id) => [id, 100]));
    const move = async (client: Client<Schema>, from: string, to: string, amount: number) => {
      await client.transaction(
        async (tx) => {
          const all = tx.collection("accounts");
          const [a, b] = [await all.get(from), await all.get(to)];
          if (!a || !b) throw new Error("gone");
          all.update(from, { balance: a.balance - amount });
          all.update(to, { balance: b.balance + amount });
        },
        { attempts: 100 },
      );
      expected.set(from, (expected.get(from) ?? 0) - amount);
      expected.set(to, (expected.get(to) ?? 0) + amount);
    };
    const work = Array.from({ length: 8 }, async (_, c) => {
      const client = connect();
      for (let i = 0; i < 6; i++) await move(client, `m${(c + i) % 4}`, `m${(c + i + 1 + (c % 3)) % 4}`, c + 1);
      client.close();
    });
    await Promise.all(work);
    const balances = await accounts.find({ _id: { $in: ids } });
    t.strictSame(new Map(balances.map(({ _id, balance }) => [_id, balance])), expected);
    t.ok(balances.some(({ balance }) => balance !== 100));
  });
});
