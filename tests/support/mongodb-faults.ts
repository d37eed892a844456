/** What breaks between Galley and its MongoDB, by name, for rounds of faults. */
import { type CommandFailure, failCommand } from "./fail-points.ts";
import type { Fault } from "./fault-rounds.ts";
import type { GalleyOnMongodb } from "./galley-on-mongodb.ts";
import type { ReplicaSet } from "./replica-set.ts";
import { pick, type Random } from "./seeded.ts";
import type { TcpProxy } from "./tcp-proxy.ts";
import type { Teardown } from "./teardown.ts";

const APP = { app: "galley" };
const done = async () => {};

/** Commands that writes of a ledger are made of. */
const WRITES = ["insert", "update", "delete", "commitTransaction"];

/** What MongoDB's own parts answer when they come and go: not primary, stepping down, shutting down. */
const PASSING_CODES = [91, 189, 10_107, 11_600, 11_602];

/**
 * Faults of commands and connections; each is over within a second or two.
 *
 * @param host of the server itself, past the proxy
 */
export function lightFaults(t: Teardown, host: string, proxy: TcpProxy): Record<string, Fault> {
  /** The next one to three of these commands fail. */
  const failing =
    (failure: (random: Random) => CommandFailure): Fault =>
    async (random) =>
      (await failCommand(t, host, failure(random), 1 + Math.floor(random() * 3))).off;
  const harming = (fault: (random: Random) => Parameters<TcpProxy["harm"]>[0]): Fault => {
    return async (random) => {
      proxy.harm(fault(random));
      return () => proxy.heal();
    };
  };
  return {
    "connections reset": async () => {
      proxy.cut(APP);
      return done;
    },
    "reset within an answer": async (random) => {
      proxy.cutNext({ answer: Math.floor(random() * 1500) });
      proxy.cut(APP);
      return done;
    },
    "reset within a request": async (random) => {
      proxy.cutNext({ request: Math.floor(random() * 1500) });
      proxy.cut(APP);
      return done;
    },
    "refused and reset": async () => {
      await proxy.refuse();
      proxy.cut(APP);
      return () => proxy.heal();
    },
    "answers lost": harming(() => ({ ...APP, answer: { swallow: true } })),
    "answers lost after some bytes": harming((random) => ({
      ...APP,
      answer: { swallow: true, pass: Math.floor(random() * 3000) },
    })),
    "requests lost": harming(() => ({ ...APP, request: { swallow: true } })),
    "requests lost after some bytes": harming((random) => ({
      ...APP,
      request: { swallow: true, pass: Math.floor(random() * 3000) },
    })),
    "everything late": harming((random) => ({
      request: { delayMs: random() * 100 },
      answer: { delayMs: random() * 100 },
    })),
    "hung up on a write": failing((random) => ({ failCommands: [pick(random, WRITES)], closeConnection: true })),
    "a retryable error before a write": failing((random) => ({
      failCommands: [pick(random, WRITES)],
      errorCode: pick(random, PASSING_CODES),
      errorLabels: ["RetryableWriteError"],
    })),
    "an error without labels": failing((random) => ({
      failCommands: [pick(random, WRITES)],
      errorCode: pick(random, [...PASSING_CODES, 6, 7, 89, 9001]),
    })),
    "a write conflict in a transaction": failing((random) => ({
      failCommands: [pick(random, ["insert", "update", "commitTransaction"])],
      errorCode: 112,
      errorLabels: ["TransientTransactionError"],
    })),
    "a commit that may have happened": failing(() => ({
      failCommands: ["commitTransaction"],
      errorCode: 50,
      errorLabels: ["UnknownTransactionCommitResult"],
    })),
    "a write done and not confirmed": failing((random) => ({
      failCommands: [pick(random, WRITES)],
      writeConcernError: { code: 64, errmsg: "waiting for replication timed out" },
    })),
    "a write done while the server goes": failing((random) => ({
      failCommands: [pick(random, WRITES)],
      writeConcernError: { code: pick(random, [91, 189, 11_600]), errmsg: "interrupted" },
      errorLabels: ["RetryableWriteError"],
    })),
    "no space left": failing((random) => ({
      failCommands: [pick(random, ["insert", "update"])],
      errorCode: 14_031,
    })),
    "hung up on a read": failing(() => ({ failCommands: ["find", "aggregate", "getMore"], closeConnection: true })),
    "slow writes": failing((random) => ({
      failCommands: WRITES,
      blockConnection: true,
      blockTimeMS: Math.ceil(random() * 800),
    })),
  };
}

/** Faults of whole processes in a set of three, and of Galley's way to its primary. */
export function heavyFaults(set: ReplicaSet, galley: GalleyOnMongodb): Record<string, Fault> {
  return {
    "the primary steps down": async () => {
      await set.stepDown();
      return done;
    },
    "the primary is killed": async () => {
      const { mongod } = await set.primary();
      await mongod.kill();
      return () => mongod.start();
    },
    "the primary stalls until another takes over": async () => {
      const { mongod } = await set.primary();
      mongod.stop();
      await set.primary();
      return async () => mongod.resume();
    },
    "a secondary is killed": async () => {
      const [{ mongod } = await set.primary()] = await set.secondaries();
      await mongod.kill();
      return () => mongod.start();
    },
    "Galley alone loses sight of the primary": async () => {
      const { proxy } = await set.primary();
      proxy.harm({ ...APP, request: { swallow: true }, answer: { swallow: true } });
      return () => proxy.heal();
    },
    "the primary is far away": async (random) => {
      const { proxy } = await set.primary();
      const delayMs = 50 + random() * 250;
      proxy.harm({ ...APP, request: { delayMs }, answer: { delayMs } });
      return () => proxy.heal();
    },
    "Galley is killed": async () => {
      await galley.kill();
      return () => galley.start();
    },
  };
}
