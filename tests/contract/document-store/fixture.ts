import type { Test } from "tap";
import type { Node, SortKey } from "#protocol/ast";
import { type ErrorCode, Faults, GalleyError } from "#protocol/errors";
import { parseFilter } from "#protocol/filter";
import { normalise } from "#protocol/normalise";
import { parseSort } from "#protocol/sort";
import type {
  Budget,
  DocumentStore,
  FindQuery,
  FindResult,
  IndexDefinition,
  Write,
} from "../../../server/stores/document-store.ts";
import { until } from "../../support/until.ts";

/** Where a store keeps its data: opened again, the same documents are there. */
export interface Place {
  /** @param clock epoch milliseconds; the real time if left out */
  open(clock?: () => number): Promise<DocumentStore>;
}

/** What engines may differ in. Each engine's test says why. */
export interface Capabilities {
  /** How many documents the store's reads have parsed so far; left out where the driver hands over parsed values. */
  readonly parsed?: (store: DocumentStore) => number;
  /** Whether `stats` counts the bytes of texts; else those of the form that the engine stores. */
  readonly countsTexts: boolean;
  /** Whether reads run in this process, so that a long one could hold up its event loop. */
  readonly readsInProcess: boolean;
}

/**
 * How many documents a read, or the build of an index, takes a while for. Where they come over a wire fewer do, and each
 * that is written costs half a millisecond of a core.
 */
export function manyOf({ readsInProcess }: Capabilities): number {
  return readsInProcess ? 20_000 : 8000;
}

/** What the tests of one part work with. */
export interface Bench {
  readonly capabilities: Capabilities;
  /** An empty place, for tests that open a store themselves. */
  newPlace(t: Test): Place | Promise<Place>;
  /** A store with an empty collection `notes`; the same one for all tests of a part, since opening one takes its time. */
  fresh(indexes?: readonly IndexDefinition[]): Promise<DocumentStore>;
}

export type ContractTest = (t: Test, bench: Bench) => Promise<void>;

/** Makes a bench whose store is closed when the part ends. */
export function createBench(t: Test, newPlace: (t: Test) => Place | Promise<Place>, capabilities: Capabilities): Bench {
  let shared: Promise<DocumentStore> | undefined;
  const open = async () => (await newPlace(t)).open();
  t.teardown(async () => (await shared)?.close());
  return {
    capabilities,
    newPlace,
    async fresh(indexes = []) {
      shared ??= open();
      const store = await shared;
      await store.dropCollection("notes");
      await store.ensureCollection({ name: "notes", indexes });
      // They are filled in the background, and what they are good for is not to be asked before.
      if (indexes.length > 0) await built(store);
      return store;
    },
  };
}

const STAMP = { $date: "2026-01-31T10:00:00.000Z" };

/** A write of a document with the server's fields filled in. `fields` as canonical text has them, with tags. */
export function put(
  store: Pick<DocumentStore, "nextVersion">,
  id: string,
  fields: object = {},
  expect = 0,
  collection = "notes",
): Extract<Write, { kind: "put" }> {
  const version = store.nextVersion(expect);
  const document = { _id: id, _v: version, _createdAt: STAMP, _updatedAt: STAMP, ...fields };
  return { kind: "put", collection, id, expect, version, text: JSON.stringify(document) };
}

export function remove(id: string, expect: number, collection = "notes"): Write {
  return { kind: "delete", collection, id, expect };
}

export function check(id: string, expect: number, collection = "notes"): Write {
  return { kind: "check", collection, id, expect };
}

/** Writes many documents, some hundreds a commit. */
export async function fill(
  store: DocumentStore,
  count: number,
  fields: (n: number) => object,
  collection = "notes",
): Promise<void> {
  for (let from = 0; from < count; from += 500) {
    const numbers = Array.from({ length: Math.min(500, count - from) }, (_, i) => from + i);
    await store.commit(numbers.map((n) => put(store, idOf(n), fields(n), 0, collection)));
  }
}

/** Ids that sort like their numbers. */
export function idOf(n: number): string {
  return `d${String(n).padStart(7, "0")}`;
}

export const PLENTY: Budget = { candidates: Number.POSITIVE_INFINITY, milliseconds: 60_000 };

export function filterOf(input: object): Node {
  const faults = new Faults();
  const filter = normalise(parseFilter(input, "filter", faults));
  faults.throwIfAny();
  return filter;
}

export function sortOf(input?: readonly string[]): SortKey[] {
  const faults = new Faults();
  const sort = parseSort(input, "sort", faults);
  faults.throwIfAny();
  return sort;
}

export interface Ask extends Partial<Pick<FindQuery, "limit" | "after" | "budget" | "at">> {
  readonly collection?: string;
  readonly filter?: object;
  readonly sort?: readonly string[];
}

export function find(store: DocumentStore, ask: Ask = {}): Promise<FindResult> {
  const { collection = "notes", filter = {}, sort, limit = 1000, after, budget = PLENTY, at } = ask;
  return store.find({
    collection,
    filter: filterOf(filter),
    sort: sortOf(sort),
    limit,
    budget,
    ...(after && { after }),
    ...(at !== undefined && { at }),
  });
}

export async function findIds(store: DocumentStore, ask: Ask = {}): Promise<string[]> {
  return (await find(store, ask)).rows.map(({ id }) => id);
}

export async function count(store: DocumentStore, filter: object = {}, cap = 100_000, collection = "notes") {
  return store.count({ collection, filter: filterOf(filter), cap, budget: PLENTY });
}

/** The texts of some documents, undefined where there is none. */
export async function textsOf(store: DocumentStore, ids: readonly string[], collection = "notes") {
  return (await store.get(collection, ids)).map((row) => row?.text);
}

/** The error that a promise rejects with: fails unless it is a GalleyError of that code. */
export async function refused(
  t: Test,
  promise: Promise<unknown>,
  code: ErrorCode,
  details: object = {},
): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  t.ok(error instanceof GalleyError, `is refused (${code})`);
  t.match(error, { code, details });
}

export async function indexStates(store: DocumentStore, collection = "notes"): Promise<string[]> {
  return (await store.stats(collection))?.indexes.map(({ state }) => state) ?? [];
}

/** Waits until no index of a collection is being built. */
export async function built(store: DocumentStore, collection = "notes"): Promise<void> {
  await until(async () => !(await indexStates(store, collection)).includes("building"));
}
