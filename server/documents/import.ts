import { GalleyError } from "#protocol/errors";
import { sameData } from "#protocol/same-data";
import type { Document } from "#protocol/values";
import { attempts, LostRace } from "../stores/attempts.ts";
import type { DocumentStore, Write } from "../stores/document-store.ts";
import { createdAt, type Image, imageOf } from "./images.ts";
import { type Line, linesOf } from "./import-lines.ts";
import {
  type ImportOptions,
  type ImportRow,
  type ImportTarget,
  parseRow,
  refusal,
  type Verdict,
} from "./import-rows.ts";
import { enforceSchema, withDefaults } from "./operation.ts";
import { dropped, netWrite } from "./writing.ts";

/** Rows, and characters of their lines, that one commit takes at most. */
const GROUP_ROWS = 500;
const GROUP_CHARACTERS = 1024 * 1024;

/**
 * Sets each row by its `_id`, in commits of many rows, and gives one verdict a line, in order and at the reader's pace;
 * http-api.md "Collections" 4. While one group is stored the next is read, so two groups are the most it holds. A row
 * that is refused never harms another.
 */
export async function* importLines(
  options: ImportOptions,
  target: ImportTarget,
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<string> {
  let storing: Promise<Verdict[]> | undefined;
  for await (const group of groupsOf(linesOf(bytes))) {
    const verdicts = await storing;
    storing = storeGroup(options, target, group);
    // Its failure is met at the next await; until then it must not count as unhandled.
    storing.catch(() => {});
    for (const verdict of verdicts ?? []) yield JSON.stringify(verdict);
  }
  for (const verdict of (await storing) ?? []) yield JSON.stringify(verdict);
}

async function* groupsOf(lines: AsyncIterable<Line>): AsyncGenerator<Line[]> {
  let group: Line[] = [];
  let characters = 0;
  for await (const line of lines) {
    group.push(line);
    characters += "text" in line ? line.text.length : 0;
    if (group.length < GROUP_ROWS && characters < GROUP_CHARACTERS) continue;
    yield group;
    [group, characters] = [[], 0];
  }
  if (group.length > 0) yield group;
}

async function storeGroup(options: ImportOptions, target: ImportTarget, lines: readonly Line[]): Promise<Verdict[]> {
  await target.stillAllowed();
  const parsed = lines.map((line) => parseRow(line, target, options));
  const rows = parsed.filter((row) => "fields" in row);
  const stored = new Map((await storeRows(options, target, rows)).map((verdict) => [verdict.line, verdict]));
  return parsed.map((row) => ("fields" in row ? (stored.get(row.line) as Verdict) : row));
}

/** In one commit; where the store refuses a row of it, each by itself, so that only the faulty one is refused. */
async function storeRows(options: ImportOptions, target: ImportTarget, rows: readonly ImportRow[]): Promise<Verdict[]> {
  try {
    return await attempts(options.random, () => commitRows(options, target, rows));
  } catch (error) {
    const code = error instanceof GalleyError ? error.code : undefined;
    if (code !== "unique_violation" && code !== "schema_violation" && code !== "contention") throw error;
    const [only] = rows;
    if (only && rows.length === 1) return [refusal(only.line, error as GalleyError, only.id)];
  }
  // Rows of one document stay in order; the others share commits in the store.
  const byId = new Map<string, ImportRow[]>();
  for (const row of rows) byId.set(row.id, [...(byId.get(row.id) ?? []), row]);
  const verdicts = [...byId.values()].map(async (same) => {
    const each: Verdict[] = [];
    for (const row of same) each.push(...(await storeRows(options, target, [row])));
    return each;
  });
  return (await Promise.all(verdicts)).flat();
}

async function commitRows(
  options: ImportOptions,
  target: ImportTarget,
  rows: readonly ImportRow[],
): Promise<Verdict[]> {
  const { store } = options;
  const { collection } = target;
  const ids = [...new Set(rows.map(({ id }) => id))];
  const stored = await store.get(collection, ids);
  const images = new Map(
    ids.map((id, i) => [id, { before: stored[i] as Image | undefined, after: stored[i] as Image | undefined }]),
  );
  const now = new Date(options.clock());
  const verdicts = rows.map((row): Verdict => {
    const state = images.get(row.id) as { before: Image | undefined; after: Image | undefined };
    const { line, id } = row;
    try {
      const after = imageAfter(options, collection, row, state.after, now);
      const status = after === state.after ? "unchanged" : state.after ? "updated" : "created";
      state.after = after;
      return { line, id, status };
    } catch (error) {
      if (!(error instanceof GalleyError) || error.status >= 500) throw error;
      return refusal(line, error, id);
    }
  });
  const writes: Write[] = [];
  const values: (Document | undefined)[] = [];
  for (const [id, { before, after }] of images) {
    if (after === before) continue;
    writes.push(netWrite(collection, id, before, after));
    values.push(after?.value);
  }
  if (writes.length > 0) await commit(store, writes, values);
  return verdicts;
}

function imageAfter(
  { store, definitions }: ImportOptions,
  collection: string,
  row: ImportRow,
  before: Image | undefined,
  now: Date,
): Image {
  const definition = definitions.get(collection);
  if (!definition) throw dropped();
  const fields = definition.schema ? withDefaults(definition.schema, row.fields) : row.fields;
  const created = row.createdAt ?? (before ? createdAt(before.value, now) : now);
  if (before && sameData(before.value, fields) && createdAt(before.value, now).getTime() === created.getTime())
    return before;
  const server = { _id: row.id, _v: store.nextVersion(before?.version ?? 0), _createdAt: created, _updatedAt: now };
  const image = imageOf(server, fields);
  enforceSchema(image, definition.schema, "document");
  return image;
}

async function commit(
  store: DocumentStore,
  writes: readonly Write[],
  values: readonly (Document | undefined)[],
): Promise<void> {
  try {
    await store.commit(writes, values);
  } catch (error) {
    throw error instanceof GalleyError && error.code === "version_conflict" ? new LostRace() : error;
  }
}
