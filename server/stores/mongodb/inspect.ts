import type { Connection } from "./connect.ts";
import { connect } from "./connect.ts";
import { readVersion, versionAdvice } from "./server-version.ts";

/** The state of a MongoDB, for people. */
export interface Inspection {
  readonly ok: boolean;
  readonly found: string;
  readonly advice?: string;
}

/** How long a server may take to show itself. */
const PATIENCE_MILLISECONDS = 3000;
const HOUR = 3600;

/**
 * Looks at the MongoDB of a URL: its version, its replica set, and how far back its history reaches.
 *
 * @throws GalleyError `failed_precondition` if the URL is none
 */
export async function inspectMongo(url: string): Promise<Inspection> {
  const connection = connect(url);
  try {
    const end = performance.now() + PATIENCE_MILLISECONDS;
    while (!connection.topology.primary && connection.fault === undefined && performance.now() < end) {
      await connection.topology.wait(PATIENCE_MILLISECONDS);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await connection.ready();
    return await describe(connection);
  } catch (error) {
    const advice = connection.fault ?? connection.topology.lacks;
    const found = connection.topology.answered ? "answers, and cannot be used" : "does not answer";
    return { ok: false, found, ...(advice === undefined ? { advice: (error as Error).message } : { advice }) };
  } finally {
    await connection.close();
  }
}

async function describe({ server }: Connection): Promise<Inspection> {
  const version = await readVersion(server);
  const { setName, primary, hosts = [] } = await server.command({ hello: 1 });
  const hours = await historyHours(server.client.db("local"));
  const members = `${hosts.length} ${hosts.length === 1 ? "member" : "members"}`;
  const window = hours === undefined ? "" : `, history of ${hours.toFixed(1)} h`;
  const found = `${version}, replica set ${setName} with ${members}, primary ${primary}${window}`;
  const advice = versionAdvice(version);
  return { ok: true, found, ...(advice !== undefined && { advice }) };
}

/** How far back the oplog reaches, if it may be read. */
async function historyHours(local: ReturnType<Connection["server"]["client"]["db"]>): Promise<number | undefined> {
  try {
    const [first, last] = await Promise.all(
      ([1, -1] as const).map((order) => local.collection("oplog.rs").findOne({}, { sort: { $natural: order } })),
    );
    return (Number(last?.ts.t) - Number(first?.ts.t)) / HOUR;
  } catch {
    return undefined;
  }
}
