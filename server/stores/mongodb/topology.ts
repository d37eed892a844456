import type { Document, MongoClient } from "mongodb";

/** What one client knows of the deployment it is connected to, kept by the driver's monitors. */
export interface Topology {
  /** Whether a primary that Galley can work with is known. */
  readonly primary: boolean;
  /** Why the server that answered cannot be used, in one line that says what to do; undefined if none such answered. */
  readonly fault: string | undefined;
  /** What the server that answered still lacks, in one line; somebody may be about to do it. */
  readonly lacks: string | undefined;
  /** Whether any server ever answered. */
  readonly answered: boolean;
  /** The version of the wire protocol of the server that answered last. */
  readonly wireVersion: number | undefined;
  /** Called, if they are still there, a moment after the primary was lost that they wait for. */
  readonly givenUp: Set<() => void>;
  /** Resolves to whether a primary is known, at the latest after these milliseconds. */
  wait(milliseconds: number): Promise<boolean>;
  close(): void;
}

/** MongoDB 6.0. */
const OLDEST_WIRE_VERSION = 17;
/** How long requests wait for the next primary, counted from the loss of the last one. An election takes 1 to 4 s. */
const HAND_OVER_MILLISECONDS = 1000;

/**
 * How long an answer may still come when its primary was lost. The driver never ends a command that it sends just when
 * the other side has hung up.
 */
const LAST_ANSWERS_MILLISECONDS = 1500;

const STANDALONE =
  "GALLEY_MONGODB_URL names a standalone mongod, and Galley needs a replica set (one node is enough): restart it with " +
  "`mongod --replSet rs0` and run `mongosh --eval 'rs.initiate()'` once";
const NOT_INITIATED =
  "the mongod of GALLEY_MONGODB_URL is not yet part of a replica set: run `mongosh --eval 'rs.initiate()'` once";
const ROUTER = "GALLEY_MONGODB_URL names the router of a sharded cluster, and Galley needs a replica set";
const TOO_OLD = "the mongod of GALLEY_MONGODB_URL is older than 6.0, and Galley needs MongoDB 6.0 or newer";

/** Follows what a client's monitors find. Call it before the client connects. */
export function watchTopology(client: MongoClient): Topology {
  let primary = false;
  let lost = performance.now();
  let fault: string | undefined;
  let lacks: string | undefined;
  let answered = false;
  let wireVersion: number | undefined;
  const waiting = new Set<(known: boolean) => void>();
  const givenUp = new Set<() => void>();

  function settle(known: boolean): void {
    if (primary && !known) {
      lost = performance.now();
      const before = [...givenUp];
      setTimeout(() => {
        for (const giveUp of before) if (givenUp.has(giveUp)) giveUp();
      }, LAST_ANSWERS_MILLISECONDS).unref();
    }
    primary = known;
    if (!known) return;
    for (const resolve of waiting) resolve(true);
    waiting.clear();
  }

  // Every answer of a monitor, also that of a server which the driver then leaves out since it fits no replica set.
  client.on("serverHeartbeatSucceeded", ({ reply }) => {
    answered = true;
    wireVersion = Number(reply.maxWireVersion ?? 0);
    fault = faultOf(reply);
    lacks = reply.isreplicaset === true ? NOT_INITIATED : undefined;
  });
  client.on("topologyDescriptionChanged", ({ newDescription }) => {
    let known = false;
    for (const { type, maxWireVersion } of newDescription.servers.values()) {
      if (type === "RSPrimary" && maxWireVersion >= OLDEST_WIRE_VERSION) known = true;
    }
    settle(known);
  });
  client.on("topologyClosed", () => settle(false));

  return {
    get primary() {
      return primary;
    },
    get fault() {
      return primary ? undefined : fault;
    },
    get lacks() {
      return primary ? undefined : lacks;
    },
    get answered() {
      return answered;
    },
    get wireVersion() {
      return wireVersion;
    },
    givenUp,
    wait(milliseconds) {
      const left = Math.min(milliseconds, HAND_OVER_MILLISECONDS - (performance.now() - lost));
      if (primary || left <= 0) return Promise.resolve(primary);
      return new Promise((resolve) => {
        const timer = setTimeout(() => {
          waiting.delete(done);
          resolve(false);
        }, left);
        const done = (known: boolean) => {
          clearTimeout(timer);
          resolve(known);
        };
        waiting.add(done);
      });
    },
    close() {
      for (const resolve of waiting) resolve(false);
      waiting.clear();
    },
  };
}

/** Why a server is none that Galley can work with; undefined for members of a replica set. */
function faultOf(hello: Document): string | undefined {
  if (Number(hello.maxWireVersion ?? 0) < OLDEST_WIRE_VERSION) return TOO_OLD;
  if (hello.msg === "isdbgrid") return ROUTER;
  return hello.setName === undefined && hello.isreplicaset !== true ? STANDALONE : undefined;
}
