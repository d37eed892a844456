import type { Timestamp } from "mongodb";
import type { Write } from "../document-store.ts";
import { createVersions } from "../versions.ts";
import { writeError } from "./errors.ts";
import type { Meta } from "./meta.ts";
import { Deadline } from "./time-limit.ts";

/** Versions of one node, above those that it and others gave out before. */
export interface MongoVersions {
  /** Starts above all versions that were ever reserved, and reserves the next ones. */
  start(): Promise<void>;
  /** See the port's `nextVersion`. */
  next(previous: number): number;
  /** Tells of a version that is stored. */
  raise(stored: number): void;
  /** Resolves once no later start of any node can give out these writes' versions again: at once, nearly always. */
  reserve(writes: readonly Write[]): Promise<void> | undefined;
}

/** Versions in a second: a version is a time in milliseconds, times 1024. */
const PER_SECOND = 1000 * 1024;
/** Seconds by which versions are reserved ahead, and so the most that a start may skip. */
const AHEAD = 6 * PER_SECOND;

/** For one reservation. */
const RESERVE_MILLISECONDS = 5000;

/**
 * Versions rise with the clock, and three things keep a slow clock from falling behind (docs/decisions): the versions that
 * the tail shows, the cluster time, which all nodes share and every reply carries, and the highest version that was
 * reserved, which a node starts from.
 *
 * @param seen the latest cluster time that is known
 */
export function createMongoVersions(
  clock: () => number,
  meta: Pick<Meta, "highestVersion" | "raiseHighestVersion">,
  seen: () => Timestamp | undefined,
): MongoVersions {
  const versions = createVersions(clock);
  let reserved = 0;
  let reserving: Promise<void> | undefined;

  function reserveUpTo(version: number): Promise<void> {
    const upTo = version + AHEAD;
    const before = reserving ?? Promise.resolve();
    const mine: Promise<void> = before
      .catch(() => {})
      .then(async () => {
        if (reserved <= version) {
          await new Deadline(RESERVE_MILLISECONDS).race(meta.raiseHighestVersion(upTo));
          reserved = upTo;
        }
        if (reserving === mine) reserving = undefined;
      });
    reserving = mine;
    return mine;
  }

  return {
    next(previous) {
      return versions.next(Math.max(previous, (seen()?.t ?? 0) * PER_SECOND - 1));
    },
    raise: versions.raise,
    async start() {
      reserved = await meta.highestVersion();
      versions.raise(reserved);
      // So that the first write need not wait for it.
      await reserveUpTo(Math.max(reserved, Math.floor(clock()) * 1024));
    },
    reserve(writes) {
      let highest = 0;
      for (const write of writes) if (write.kind === "put" && write.version > highest) highest = write.version;
      if (highest <= reserved - AHEAD / 2) return undefined;
      const reservation = reserveUpTo(highest + AHEAD / 2);
      if (highest <= reserved) {
        // In good time: nobody waits for it.
        reservation.catch(() => {});
        return undefined;
      }
      return reservation.catch((error: unknown) => {
        throw writeError(error).with({ outcome: "not_applied" });
      });
    },
  };
}
