/** Three mongods as one replica set, each to be killed, stalled, cut off or held back (fault-cases.md SET). */
import { setTimeout as wait } from "node:timers/promises";
import { onServer, setFailPoint } from "./fail-points.ts";
import { initiate, newDatabase, REPLICA_SET, unlessAbsent } from "./mongod.ts";
import { type MongodProcess, startMongodProcess } from "./mongod-process.ts";
import { findMongod } from "./mongod-program.ts";
import { startTcpProxy, type TcpProxy } from "./tcp-proxy.ts";
import type { Skippable, Teardown } from "./teardown.ts";
import { until } from "./until.ts";

export interface ReplicaSet {
  /** Names all members as the set's config does, and a database that nobody else uses. */
  readonly url: string;
  readonly members: readonly Member[];
  /** Waits until there is a primary that a majority agrees on. */
  primary(): Promise<Member>;
  secondaries(): Promise<Member[]>;
  /** Makes the primary step down; resolves when another has been elected. */
  stepDown(): Promise<void>;
  /** Keeps the secondaries from copying what the primary writes, until `off`: nothing is confirmed by a majority. */
  holdBack(t: Teardown): Promise<{ off(): Promise<void> }>;
  close(): Promise<void>;
}

export interface Member {
  readonly name: "a" | "b" | "c";
  readonly mongod: MongodProcess;
  /** Between this member and all who know the set by its config: drivers and the other members. */
  readonly proxy: TcpProxy;
}

const NAMES = ["a", "b", "c"] as const;
const ELECTION_MS = 2000;
/** Each look is a connection to each member, some milliseconds of a core, and an election takes seconds. */
const LOOK_MS = 200;

/**
 * Starts a replica set of three whose elections take about 2 s; ends it with the test.
 *
 * @returns undefined, with a skip that tells the reason, if there is no mongod to be had
 */
export function useReplicaSet(t: Skippable): Promise<ReplicaSet | undefined> {
  return unlessAbsent(t, async () => startReplicaSet(await findMongod()));
}

async function startReplicaSet(program: string): Promise<ReplicaSet> {
  const members = await Promise.all(NAMES.map((name) => startMember(program, name)));
  const close = async () => {
    await Promise.all(members.map(({ mongod }) => mongod.close()));
    await Promise.all(members.map(({ proxy }) => proxy.close()));
  };
  const hosts = members.map(({ proxy }) => proxy.host);
  try {
    await initiate(hosts, { electionTimeoutMillis: ELECTION_MS });
  } catch (error) {
    await close();
    throw error;
  }

  async function primary(): Promise<Member> {
    let found: Member | undefined;
    await until(async () => {
      const states = await Promise.all(members.map(isPrimary));
      const claims = members.filter((_, i) => states[i]);
      found = claims.length === 1 ? claims[0] : undefined;
      if (found === undefined) await wait(LOOK_MS);
      return found !== undefined;
    });
    return found as Member;
  }
  const secondaries = async () => {
    const leader = await primary();
    return members.filter((member) => member !== leader);
  };

  return {
    url: `mongodb://${hosts.join()}/${newDatabase()}?replicaSet=${REPLICA_SET}`,
    members,
    primary,
    secondaries,
    async stepDown() {
      const old = await primary();
      await onServer(old.mongod.host, { replSetStepDown: 10, secondaryCatchUpPeriodSecs: 5, force: true });
      await primary();
    },
    async holdBack(t) {
      const points = await Promise.all(
        (await secondaries()).map(({ mongod }) => setFailPoint(t, mongod.host, "stopReplProducer")),
      );
      return { off: async () => void (await Promise.all(points.map((point) => point.off()))) };
    },
    close,
  };
}

async function startMember(program: string, name: Member["name"]): Promise<Member> {
  const mongod = await startMongodProcess(program, { replicaSet: REPLICA_SET });
  return { name, mongod, proxy: await startTcpProxy(mongod.host) };
}

/** Of a member that does not answer: no. */
async function isPrimary({ mongod }: Member): Promise<boolean> {
  try {
    return (await onServer(mongod.host, { hello: 1 }, 1000)).isWritablePrimary === true;
  } catch {
    return false;
  }
}
