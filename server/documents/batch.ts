import type { BatchOperation } from "#protocol/api";
import { parseBatch } from "#protocol/batch";
import { Faults, GalleyError } from "#protocol/errors";
import { ID_RANDOM_BYTES, newId } from "#protocol/id";
import { parseUpdate } from "#protocol/update";
import type { Document } from "#protocol/values";
import type { Scope } from "../access/authorize.ts";
import { Unsettled } from "../access/rule-binder.ts";
import type { Action } from "../access/scopes.ts";
import { attempts, LostRace } from "../stores/attempts.ts";
import type { DocumentStore, Position, Write } from "../stores/document-store.ts";
import { type BatchAnswer, judgedOf } from "./batch-record.ts";
import type { Definition, Definitions } from "./definitions.ts";
import { type Image, readDocument } from "./images.ts";
import { demandAny, discreet } from "./judgement.ts";
import { enforceSchema, type Operation, operate } from "./operation.ts";
import { PlainReader } from "./plain.ts";
import { faultyWrite, refused, withoutPlace } from "./refusal.ts";
import { OPEN_PLACES } from "./schema/schema.ts";
import { dropped, lineOf, netWrite, prepare, type RecordOf, RecordTaken, type Writer } from "./writing.ts";

/** What each operation left: `v` is absent where the document is gone afterwards. */
export type BatchResults = readonly { readonly id: string; readonly v?: number }[];

export interface Batch {
  readonly steps: readonly Step[];
  /** The request's one instant. */
  readonly now: Date;
  readonly record?: RecordOf<BatchAnswer> | undefined;
}

/** One operation, with the collection's scope. */
export interface Step {
  readonly scope: Scope;
  readonly operation: Operation;
}

export interface BatchOptions {
  readonly store: DocumentStore;
  readonly definitions: Definitions;
  readonly writer: Writer;
  readonly clock: () => number;
  readonly random: (bytes: number) => Uint8Array;
  readonly grantsRights: (collection: string) => boolean;
}

/** What an operation may need, by what is stored. A batch is refused before it is read if none of it is allowed at all. */
const ACTIONS: Readonly<Record<BatchOperation["op"], readonly Action[]>> = {
  create: ["create"],
  set: ["update", "create"],
  update: ["update", "create"],
  delete: ["delete"],
  check: ["get"],
};

/** Several operations, applied in order, all or nothing; query-language.md 9. */
export interface Batches {
  /**
   * Reads a batch. Faults of all operations are told at once, beside the first one's index.
   * @param scopeOf authorizes an operation's collection
   */
  parse(body: unknown, scopeOf: (collection: string) => Scope, plain: boolean): Step[];
  run(batch: Batch): Promise<{ results: BatchResults; position: Position }>;
  /**
   * Does all of a batch but the commit, in collections that may not be declared yet.
   * @throws GalleyError what {@link run} would, as far as it shows before the commit
   */
  rehearse(batch: Pick<Batch, "steps" | "now">): Promise<void>;
}

/** One document of a batch: what was stored, and how the operations so far leave it. */
interface Entry {
  readonly collection: string;
  readonly id: string;
  readonly scope: Scope;
  readonly before: Image | undefined;
  after: Image | undefined;
  /** The one version that the document gets, given at its first change. */
  version?: number;
  /** The operation that touched it last. */
  last: number;
  /** What the batch ends with, once the schema has judged all of it: it is taken, and not to be seen. */
  end?: GalleyError | undefined;
}

export function createBatches(options: BatchOptions): Batches {
  const { store, definitions, writer, clock, random, grantsRights } = options;
  return {
    parse(body, scopeOf, plain) {
      const faults = new Faults();
      const operations = parseBatch(body, faults);
      throwFaults(faults);
      const steps = operations.map(
        (operation, i): Step =>
          at(i, () => {
            const scope = scopeOf(operation.collection);
            demandAny(scope, ACTIONS[operation.op]);
            return { scope, operation: parseOperation(operation, i, plain, faults) };
          }),
      );
      throwFaults(faults);
      return steps;
    },

    async run(batch) {
      const release = await writer.hold(
        batch.steps.map(({ scope, operation }) => lineOf(scope.collection, operation.id)),
      );
      try {
        return await attempts(random, () => attempt(batch));
      } finally {
        release();
      }
    },

    async rehearse({ steps, now }) {
      const { order } = await compute(steps, now);
      for (const entry of order) at(entry.last, () => judge(entry, definitions.get(entry.collection)));
      for (const { end } of order) if (end) throw end;
    },
  };

  function parseOperation(operation: BatchOperation, i: number, plain: boolean, faults: Faults): Operation {
    const places = definitions.get(operation.collection)?.schema?.places ?? OPEN_PLACES;
    const reader = plain ? new PlainReader(places) : undefined;
    const place = `operations.${i}`;
    const version = operation.ifVersion === undefined ? {} : { ifVersion: operation.ifVersion };
    switch (operation.op) {
      case "create":
      case "set": {
        const body = reader ? reader.document(operation.document) : operation.document;
        const { id, fields } = readDocument(body, `${place}.document`, faults);
        if (operation.id !== undefined && id !== undefined && id !== operation.id) {
          faults.add(`${place}.document._id`, "bad_value", "expects the operation's id, or none");
        }
        const made = operation.id ?? id ?? newId(clock(), random(ID_RANDOM_BYTES));
        return { op: operation.op, id: made, fields, ...version };
      }
      case "update": {
        const body = reader ? reader.update(operation.update) : operation.update;
        const update = parseUpdate(body, `${place}.update`, faults);
        return { op: "update", id: operation.id, update, upsert: operation.upsert ?? false, ...version };
      }
      case "delete":
      case "check":
        return { op: operation.op, id: operation.id, ...version };
    }
  }

  async function attempt({ steps, now, record }: Batch): Promise<{ results: BatchResults; position: Position }> {
    const { order, touched } = await compute(steps, now);
    // What goes makes room first: a unique value may pass from one document to another.
    const changed = [...order.filter(({ after }) => !after), ...order.filter(({ after }) => after)];
    for (const entry of changed) at(entry.last, () => enforce(entry));
    for (const { end } of order) if (end) throw end;
    const results = touched.map(({ entry, gone }) => {
      return gone || !entry.after ? { id: entry.id } : { id: entry.id, v: entry.after.version };
    });
    const writes = changed.map(({ collection, id, before, after }) => netWrite(collection, id, before, after));
    if (record) writes.push(...record({ results, judged: judgedOf(touched) }));
    return { results, position: writes.length === 0 ? store.position() : await commit(writes, changed) };
  }

  /** Applies the steps to what is stored; `order`: each document once. */
  async function compute(steps: readonly Step[], now: Date) {
    const entries = await read(steps).catch((error: unknown) => Promise.reject(refused(error)));
    const scopes = [...new Set(steps.map(({ scope }) => scope))];
    for (;;) {
      const computed = applyAll(steps, entries, now);
      if (computed && scopes.every((scope) => scope.current)) return computed;
      // One principal's scopes have all of their lookups in common.
      for (const scope of scopes) await prepare(scope).catch((error: unknown) => Promise.reject(refused(error)));
    }
  }

  /** Undefined: lookups have to be read first, all that could be foreseen. */
  function applyAll(steps: readonly Step[], entries: ReadonlyMap<string, Entry>, now: Date) {
    const order = new Set<Entry>();
    const overlay = new Map<string, Map<string, Document | undefined>>();
    for (const entry of entries.values()) {
      entry.after = entry.before;
      entry.end = undefined;
      const documents = overlay.get(entry.collection) ?? new Map<string, Document | undefined>();
      overlay.set(entry.collection, documents.set(entry.id, entry.before?.value));
    }
    let settled = true;
    const touched = steps.map(({ scope, operation }, i) =>
      at(i, () => {
        const entry = entries.get(lineOf(scope.collection, operation.id)) as Entry;
        const was = entry.after;
        order.add(entry);
        scope.see(overlay);
        try {
          apply(entry, scope, operation, i, now);
        } catch (error) {
          // What follows an open verdict is only looked through for more lookups.
          if (!(error instanceof Unsettled) && settled) throw error;
          settled = false;
        } finally {
          scope.see(undefined);
        }
        overlay.get(entry.collection)?.set(entry.id, entry.after?.value);
        entry.last = i;
        // Where a check for absence holds, there is nothing for its sender to see.
        const gone = !entry.after || (operation.op === "check" && operation.ifVersion === 0);
        return { entry, gone, scope, operation, was, after: entry.after };
      }),
    );
    return settled ? { order: [...order], touched } : undefined;
  }

  /** What is stored, of each document once. */
  async function read(steps: readonly Step[]): Promise<Map<string, Entry>> {
    const wanted = new Map<string, { scope: Scope; ids: Set<string> }>();
    for (const { scope, operation } of steps) {
      const { collection } = scope;
      const known = wanted.get(collection) ?? { scope, ids: new Set() };
      known.ids.add(operation.id);
      wanted.set(collection, known);
    }
    const entries = new Map<string, Entry>();
    const reads = [...wanted].map(async ([collection, { scope, ids }]) => {
      const list = [...ids];
      const rows = await store.get(collection, list);
      for (const [i, id] of list.entries()) {
        const row = rows[i];
        entries.set(lineOf(collection, id), { collection, id, scope, before: row, after: row, last: 0 });
      }
    });
    await Promise.all(reads);
    return entries;
  }

  function apply(entry: Entry, scope: Scope, operation: Operation, i: number, now: Date): void {
    entry.after = operate(operation, entry.after, {
      scope,
      schema: definitions.get(entry.collection)?.schema,
      now,
      nextVersion() {
        entry.version ??= store.nextVersion(entry.before?.version ?? 0);
        return entry.version;
      },
      // Of a document that the batch has changed, its sender can know only the version from before.
      hasVersion(image, version) {
        return version === (image ? (entry.before?.version ?? image.version) : 0);
      },
      endsWith(error) {
        entry.end ??= error.with({ operation: i, outcome: "not_applied" });
      },
    });
  }

  /** Rules were judged step by step; the schema judges what is stored in the end. */
  function enforce(entry: Entry): void {
    const definition = definitions.get(entry.collection);
    if (!definition && entry.after && entry.after !== entry.before) throw dropped();
    judge(entry, definition);
  }

  function judge({ scope, before, after }: Entry, definition: Definition | undefined): void {
    if (after && after !== before) enforceSchema(after, definition?.schema, "document", scope);
  }

  async function commit(writes: readonly Write[], order: readonly Entry[]): Promise<Position> {
    try {
      const values = order.map(({ before, after }) => (after === before ? undefined : after?.value));
      const position = await store.commit(writes, values);
      if (order.some(({ collection }) => grantsRights(collection))) await store.barrier(position);
      return position;
    } catch (error) {
      const faulty = faultyWrite(error);
      if (faulty === undefined) throw error;
      if (error instanceof GalleyError && error.code === "version_conflict") {
        throw faulty >= order.length ? new RecordTaken() : new LostRace();
      }
      const { last, scope, after } = order[faulty] ?? {};
      const bare = withoutPlace(scope && after ? discreet(scope, after, error) : error);
      throw bare instanceof GalleyError && last !== undefined ? bare.with({ operation: last }) : bare;
    }
  }
}

/** Runs what belongs to one operation; its error names the operation. */
function at<T>(operation: number, part: () => T): T {
  try {
    return part();
  } catch (error) {
    throw error instanceof GalleyError ? error.with({ operation, outcome: "not_applied" }) : error;
  }
}

function throwFaults(faults: Faults): void {
  try {
    faults.throwIfAny();
  } catch (error) {
    const operation = /^operations\.(\d+)/.exec(faults.list[0]?.path ?? "")?.[1];
    const place = operation === undefined ? {} : { operation: Number(operation) };
    throw error instanceof GalleyError ? error.with({ ...place, outcome: "not_applied" }) : error;
  }
}
