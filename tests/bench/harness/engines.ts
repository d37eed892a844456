/** The engines that a workload runs on, without a test that would end them. */
import { NotToBeHad } from "../../support/found-program.ts";
import { dropDatabase, type Mongod, newDatabase, openMongod, withDatabase } from "../../support/mongod.ts";
import { withFolder } from "./folder.ts";

export interface Engine {
  readonly name: "sqlite" | "mongodb";
  /** Galley's data folder. */
  readonly folder: string;
  /** The variables that choose the engine. */
  readonly env: Readonly<Record<string, string>>;
  /** The variables that tell a ceiling where to keep its own. */
  readonly ceilingEnv: Readonly<Record<string, string>>;
  /** The database's own process, if it has one and we started it: what it costs is told beside the server. */
  readonly databasePid?: number;
}

/** One MongoDB for all the workloads of a run; it starts when the first one needs it. */
export interface SharedMongod {
  /** undefined if there is none to be had, which is told once. */
  open(): Promise<Mongod | undefined>;
  close(): Promise<void>;
}

export function createSharedMongod(): SharedMongod {
  let opening: Promise<Mongod | undefined> | undefined;
  return {
    open() {
      opening ??= mongodOrNone();
      return opening;
    },
    async close() {
      await (await opening)?.close();
    },
  };
}

/** Runs a workload on each engine in turn, each on an empty database that is gone afterwards. */
export async function onEachEngine<Row>(
  { mongod: shared }: { readonly mongod: SharedMongod },
  run: (engine: Engine) => Promise<Row[]>,
): Promise<Row[]> {
  const rows = await withFolder((folder) =>
    run({ name: "sqlite", folder, env: {}, ceilingEnv: { BENCH_FOLDER: folder } }),
  );
  const mongod = await shared.open();
  if (!mongod) return rows;
  const url = withDatabase(mongod.url, newDatabase());
  try {
    const env = { GALLEY_MONGODB_URL: url };
    const ceilingEnv = { BENCH_MONGODB_URL: url };
    const pid = mongod.process?.pid;
    const where = { env, ceilingEnv, ...(pid === undefined ? {} : { databasePid: pid }) };
    return [...rows, ...(await withFolder((folder) => run({ name: "mongodb", folder, ...where })))];
  } finally {
    // Our own server goes as a whole, with the locks of those who were killed in a transaction.
    if (mongod.process === undefined) await dropDatabase(url);
  }
}

async function mongodOrNone(): Promise<Mongod | undefined> {
  try {
    return await openMongod();
  } catch (error) {
    if (!(error instanceof NotToBeHad) || process.env.GALLEY_REQUIRE_SERVERS === "1") throw error;
    console.error(error.message);
    return undefined;
  }
}
