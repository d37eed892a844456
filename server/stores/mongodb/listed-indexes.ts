import type { Connection } from "./connect.ts";
import { CODES, codeOf } from "./errors.ts";

/** A collection has at most 64. */
const MOST_INDEXES = 200;

/**
 * The names of the indexes that MongoDB has of a collection, each from the moment that writes keep it.
 *
 * @returns undefined if there is no such collection
 */
export async function listIndexes(
  { server }: Pick<Connection, "server">,
  collection: string,
): Promise<ReadonlySet<string> | undefined> {
  try {
    const { cursor } = await server.command({ listIndexes: collection, cursor: { batchSize: MOST_INDEXES } });
    return new Set(cursor.firstBatch.map(({ name }: { name: string }) => name));
  } catch (error) {
    if (codeOf(error) === CODES.namespaceNotFound) return undefined;
    throw error;
  }
}
