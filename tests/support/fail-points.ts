/** mongod's own fail points, of servers that a test started itself (fault-cases.md FAIL, BEHIND). */
import { MongoClient } from "mongodb";
import type { Teardown } from "./teardown.ts";

/** What befalls a command; the members of mongod's `failCommand`. */
export interface CommandFailure {
  readonly failCommands: readonly string[];
  readonly errorCode?: number;
  readonly errorLabels?: readonly string[];
  /** The server hangs up before it does anything. */
  readonly closeConnection?: boolean;
  readonly blockConnection?: boolean;
  readonly blockTimeMS?: number;
  /** Told after the command was done. */
  readonly writeConcernError?: { readonly code: number; readonly errmsg: string };
  /** Only on this collection, `database.collection`. */
  readonly namespace?: string;
}

export interface FailPoint {
  /** Switches it off; repeating it does nothing. */
  off(): Promise<void>;
  /** Waits until commands have met it that often since it was set. */
  met(times: number): Promise<void>;
}

/**
 * Lets commands of Galley fail, as often as told; commands of other clients go on. Off at the end of the test.
 *
 * @param host `127.0.0.1:port` of a server with `enableTestCommands`
 */
export function failCommand(
  t: Teardown,
  host: string,
  failure: CommandFailure,
  times: number | "always" = 1,
): Promise<FailPoint> {
  return setFailPoint(t, host, "failCommand", { ...failure, appName: "galley" }, times);
}

/** Sets any fail point of a server. Off at the end of the test, if the server still answers. */
export async function setFailPoint(
  t: Teardown,
  host: string,
  name: string,
  data: object = {},
  times: number | "always" = "always",
): Promise<FailPoint> {
  const before = await onServer(host, { configureFailPoint: name, mode: modeOf(times), data });
  const entered = before.count as number;
  let on = true;
  async function off(): Promise<void> {
    if (!on) return;
    on = false;
    await onServer(host, { configureFailPoint: name, mode: "off" });
  }
  t.teardown(() => off().catch(() => {}));
  return {
    off,
    met: async (count) => {
      await onServer(host, { waitForFailPoint: name, timesEntered: entered + count, maxTimeMS: 60_000 });
    },
  };
}

function modeOf(times: number | "always"): object | string {
  return times === "always" ? "alwaysOn" : { times };
}

/** Runs an admin command directly on one server, on a connection of its own. A server that stalls is given up. */
export async function onServer(host: string, command: object, patience = 10_000): Promise<Record<string, unknown>> {
  const client = new MongoClient(`mongodb://${host}/?directConnection=true&appName=tests`, {
    serverSelectionTimeoutMS: patience,
    connectTimeoutMS: patience,
  });
  try {
    return await client.db("admin").command(command as Record<string, unknown>);
  } finally {
    await client.close();
  }
}
