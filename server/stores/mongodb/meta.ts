import { randomBytes } from "node:crypto";
import type { Collection, Db } from "mongodb";
import { GalleyError } from "#protocol/errors";
import { CODES, codeOf } from "./errors.ts";

/** What the database itself is: its format, its history, and how far versions were given out. */
const META = "_meta";

interface MetaDocument {
  _id: string;
  format?: number;
  history?: string;
  highest?: number;
}

/** One step of the database's format. It may be run by two nodes at once, and again after it was cut off. */
export interface Migration {
  /** The format that the database has afterwards: the number of the migration before it plus one. */
  readonly format: number;
  apply(db: Db): Promise<void>;
}

/** Every format that ever shipped, in order. A new format is a new entry; an entry that shipped is never changed. */
export const MIGRATIONS: readonly Migration[] = [{ format: 1, apply: async () => {} }];

export interface Meta {
  /**
   * Brings the database to the newest format, step by step.
   * @throws GalleyError `failed_precondition` if a newer Galley wrote it
   */
  migrate(migrations?: readonly Migration[]): Promise<void>;
  /** The name of the database's history: random, and a new one if the database was dropped. */
  history(): Promise<string>;
  /** The highest version that any node may have given out. */
  highestVersion(): Promise<number>;
  raiseHighestVersion(version: number): Promise<void>;
}

export function createMeta(db: Db): Meta {
  const meta: Collection<MetaDocument> = db.collection<MetaDocument>(META);

  /** The document with this id, made with `fresh` if it is not there; whoever is faster, all get the same. */
  async function readOrMake(_id: string, fresh: Omit<MetaDocument, "_id">): Promise<MetaDocument> {
    const found = await meta.findOne({ _id });
    if (found) return found;
    try {
      await meta.insertOne({ _id, ...fresh });
    } catch (error) {
      if (codeOf(error) !== CODES.duplicateKey) throw error;
    }
    return (await meta.findOne({ _id })) ?? { _id, ...fresh };
  }

  return {
    async migrate(migrations = MIGRATIONS) {
      const newest = migrations.at(-1)?.format ?? 0;
      const { format: found = 0 } = await readOrMake("format", { format: 0 });
      if (found > newest) {
        throw new GalleyError(
          "failed_precondition",
          `the database ${db.databaseName} has format ${found}, and this Galley knows formats up to ${newest}: run the newer Galley that wrote it, or restore a backup of the older one`,
          { reason: "newer_format" },
        );
      }
      for (const { format, apply } of migrations) {
        if (format <= found) continue;
        await apply(db);
        // Only upwards: another node may be further already.
        await meta.updateOne({ _id: "format", format: { $lt: format } }, { $set: { format } });
      }
    },

    async history() {
      const { history } = await readOrMake("history", { history: randomBytes(8).toString("hex") });
      return String(history);
    },

    async highestVersion() {
      return Number((await meta.findOne({ _id: "versions" }))?.highest ?? 0);
    },

    async raiseHighestVersion(version) {
      await meta.updateOne({ _id: "versions" }, { $max: { highest: version } }, { upsert: true });
    },
  };
}
