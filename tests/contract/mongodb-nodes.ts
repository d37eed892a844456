/** Nodes on one MongoDB: what a barrier waits for, and when a node stops serving (access-rules.md 10). */
import { randomBytes } from "node:crypto";
import type { Test } from "tap";
import { type MongoStore, openMongoStore } from "../../server/stores/mongodb/store.ts";
import { failCommand } from "../support/fail-points.ts";
import { newDatabase, type OwnMongod, withDatabase } from "../support/mongod.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import { until } from "../support/until.ts";
import { put, refused, textsOf } from "./document-store/fixture.ts";

export function testNodes(t: Test, mongod: OwnMongod): void {
  const { host } = mongod.process;

  t.test("a barrier waits for commits of other nodes that began before they knew", async (t) => {
    const url = withDatabase(mongod.url, newDatabase());
    const [a, b] = await Promise.all([open(t, url), open(t, url)]);
    await a.ensureCollection({ name: "notes", indexes: [] });
    await a.ensureCollection({ name: "slow", indexes: [] });
    await b.commit([put(b, "warm", {}, 0, "slow")]);
    const namespace = `${new URL(url).pathname.slice(1)}.slow`;
    await failCommand(t, host, { failCommands: ["insert"], blockConnection: true, blockTimeMS: 1500, namespace });
    const ends: string[] = [];
    const slow = b.commit([put(b, "late", {}, 0, "slow")]).then(() => ends.push("slow"));
    const barrier = a.barrier(await a.commit([put(a, "a")])).then(() => ends.push("barrier"));
    const later = await a.commit([put(a, "b")]);
    ends.push("later");
    await Promise.all([slow, barrier]);
    t.strictSame(ends, ["later", "slow", "barrier"]);
    t.not((await textsOf(a, ["late"], "slow"))[0], undefined, "and what it stored is seen");
    const started = performance.now();
    await b.barrier(later);
    t.ok(performance.now() - started < 1000, "nothing is waited for where all have passed");
  });

  t.test("a node that is cut off stops serving before it is no longer waited for, and then goes on", async (t) => {
    const proxy = await startTcpProxy(host);
    t.teardown(() => proxy.close());
    const database = newDatabase();
    const a = await open(t, withDatabase(mongod.url, database));
    const far = mongod.url.replace(host, proxy.host).replace(/\?.*/, "?directConnection=true");
    const b = await open(t, withDatabase(far, database));
    await a.ensureCollection({ name: "notes", indexes: [] });
    await until(() => a.nodes.lives(b.nodes.self) && b.nodes.lives(a.nodes.self));
    await b.passed(b.position());
    proxy.harm({ answer: { swallow: true } });
    const started = performance.now();
    let stopped = false;
    const watch = until(() => {
      stopped = !b.nodes.inTouch;
      return stopped;
    });
    await a.barrier(await a.commit([put(a, "a")]));
    t.ok(stopped, "it had stopped by itself");
    t.ok(performance.now() - started < 9000, "after some seconds");
    await watch;
    await until(() => !a.nodes.lives(b.nodes.self));
    await refused(t, b.commit([put(b, "b")]), "unavailable", { outcome: "not_applied" });
    const again = performance.now();
    await a.barrier(await a.commit([put(a, "c")]));
    t.ok(performance.now() - again < 1000, "the next barrier does not wait for it");
    await proxy.heal();
    await until(() => b.nodes.inTouch && a.nodes.lives(b.nodes.self));
    await until(() =>
      b.commit([put(b, "b")]).then(
        () => true,
        () => false,
      ),
    );
    t.ok((await textsOf(b, ["a", "b", "c"])).every((text) => text !== undefined));
  });

  t.test("a node that ends takes its leave: nobody waits for it", async (t) => {
    const url = withDatabase(mongod.url, newDatabase());
    const [a, b] = await Promise.all([open(t, url), open(t, url)]);
    await a.ensureCollection({ name: "notes", indexes: [] });
    await until(() => a.nodes.lives(b.nodes.self));
    await b.close();
    await until(() => !a.nodes.lives(b.nodes.self));
    const started = performance.now();
    await a.barrier(await a.commit([put(a, "a")]));
    t.ok(performance.now() - started < 1000);
    await refused(t, b.commit([put(b, "b")]), "unavailable", { outcome: "not_applied" });
  });
}

async function open(t: Test, url: string): Promise<MongoStore> {
  const random = (bytes: number) => randomBytes(bytes);
  const store = await openMongoStore({ url, clock: Date.now, random, warn: (message) => t.comment(message) });
  t.teardown(() => store.close());
  await store.opened;
  return store;
}
