/** The engines that a workload runs on, without a test that would end them. */
import { NotToBeHad } from "../../support/found-program.ts";
import { type Mongod, newDatabase, openMongod, withDatabase } from "../../support/mongod.ts";
import { withFolder } from "./folder.ts";

export interface Engine {
  readonly name: "sqlite" | "mongodb";
  /** Galley's data folder. */
  readonly folder: string;
  /** The variables that choose the engine. */
  readonly env: Readonly<Record<string, string>>;
}

/** Runs a workload on each engine in turn, on an empty database; says so if there is no MongoDB to be had. */
export async function onEachEngine<Row>(run: (engine: Engine) => Promise<Row[]>): Promise<Row[]> {
  const rows = await withFolder((folder) => run({ name: "sqlite", folder, env: {} }));
  const mongod = await mongodOrNone();
  if (!mongod) return rows;
  try {
    const env = { GALLEY_MONGODB_URL: withDatabase(mongod.url, newDatabase()) };
    return [...rows, ...(await withFolder((folder) => run({ name: "mongodb", folder, env })))];
  } finally {
    await mongod.close();
  }
}

async function mongodOrNone(): Promise<Mongod | undefined> {
  try {
    return await openMongod();
  } catch (error) {
    if (!(error instanceof NotToBeHad)) throw error;
    console.error(error.message);
    return undefined;
  }
}
