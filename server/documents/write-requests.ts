import { Faults, GalleyError } from "#protocol/errors";
import { ID_RANDOM_BYTES, idFault, newId } from "#protocol/id";
import { parseUpdate } from "#protocol/update";
import { type Document, parseText } from "#protocol/values";
import type { Scope } from "../access/authorize.ts";
import type { DocumentStore } from "../stores/document-store.ts";
import type { Batch, Batches } from "./batch.ts";
import { type BatchAnswer, demandStillAllowed, rejudge } from "./batch-record.ts";
import type { BatchReply, DocumentService, WriteReply, WriteRequest } from "./contract.ts";
import type { Definitions } from "./definitions.ts";
import type { Idempotency } from "./idempotency.ts";
import { type DocumentBody, readDocument } from "./images.ts";
import { demandAny, seen, underRights } from "./judgement.ts";
import { notFound, type Operation, operate } from "./operation.ts";
import { PlainReader } from "./plain.ts";
import { discreet } from "./queryable.ts";
import { refusing } from "./refusal.ts";
import { OPEN_PLACES } from "./schema/schema.ts";
import { shapeOf, show } from "./views.ts";
import type { SingleWrite, Writer, Written } from "./writing.ts";

export interface WriteRequestOptions {
  readonly store: DocumentStore;
  readonly definitions: Definitions;
  readonly writer: Writer;
  readonly batches: Batches;
  readonly idempotency: Idempotency;
  readonly clock: () => number;
  readonly random: (bytes: number) => Uint8Array;
}

export type WriteRequests = Pick<DocumentService, "create" | "set" | "update" | "delete" | "batch">;

/** Writes as requests bring them: parsed, authorized, done once where they carry a key, answered. */
export function createWriteRequests(options: WriteRequestOptions): WriteRequests {
  const { store, definitions, writer, batches, idempotency, clock, random } = options;

  return {
    async create(scope, body, request) {
      const operation = refusing((): Operation => {
        demandAny(scope, ["create"]);
        const { id, fields } = parsing((faults) => documentOf(scope, body, request, faults));
        const made = id ?? newId(clock(), random(ID_RANDOM_BYTES));
        return { op: "create", id: made, fields, ...conditionsOf(request) };
      });
      return await submit(scope, operation, request).catch((error: unknown) => {
        // What was there is at this position at the latest: whoever repeats a create knows by it where their first one is.
        const isTaken = error instanceof GalleyError && error.code === "already_exists";
        throw isTaken ? error.with({ position: store.position() }) : error;
      });
    },

    async set(scope, id, body, request) {
      const operation = refusing((): Operation => {
        demandAny(scope, ["update", "create"]);
        const document = parsing((faults) => {
          checkId(id, faults);
          const read = documentOf(scope, body, request, faults);
          if (read.id !== undefined && read.id !== id) {
            faults.add("document._id", "bad_value", "expects the _id of the URL, or none");
          }
          return read;
        });
        return { op: "set", id, fields: document.fields, ...conditionsOf(request) };
      });
      return await submit(scope, operation, request);
    },

    async update(scope, id, body, request) {
      const operation = refusing((): Operation => {
        const { upsert = false } = request;
        demandAny(scope, upsert ? ["update", "create"] : ["update"]);
        const update = parsing((faults) => {
          checkId(id, faults);
          return parseUpdate(request.plain ? readerOf(scope).update(body) : body, "update", faults);
        });
        return { op: "update", id, update, upsert, ...conditionsOf(request) };
      });
      return await submit(scope, operation, request);
    },

    async delete(scope, id, request) {
      const operation = refusing((): Operation => {
        demandAny(scope, ["delete"]);
        if (idFault(id) !== undefined) throw notFound();
        return { op: "delete", id, ...conditionsOf(request) };
      });
      return await submit(scope, operation, request);
    },

    async batch(scopeOf, body, request) {
      const steps = batches.parse(body, scopeOf, request.plain ?? false);
      const now = new Date(clock());
      const run = async (record?: Batch["record"]) => {
        const first = steps.filter(({ scope, operation }) => declares(scope, operation));
        if (first.length > 0) await batches.rehearse({ steps, now });
        for (const { scope } of first) await refusing(() => definitions.declare(scope.collection));
        return batches.run({ steps, now, record }).catch(async (error: unknown) => {
          const at = error instanceof GalleyError ? error.details.operation : undefined;
          const scope = steps[at ?? 0]?.scope;
          throw scope ? await discreet(scope, error) : error;
        });
      };
      const principal = steps[0]?.scope.principal;
      if (!request.idempotency || !principal) return run();
      return idempotency.once<BatchAnswer, BatchReply>(principal, request.idempotency, run, async (answer) => {
        await rejudge(steps, answer, store);
        return { results: answer.results, position: store.position() };
      });
    },
  };

  async function submit(scope: Scope, operation: Operation, request: WriteRequest): Promise<WriteReply> {
    const write = { scope, operation, now: new Date(clock()) };
    const commit = (one: SingleWrite) => {
      const written = operation.op === "create" ? writer.create(one) : writer.change(one);
      return scope.exempt
        ? written
        : written.catch(async (error: unknown) => Promise.reject(await discreet(scope, error)));
    };
    const run = async (record?: SingleWrite["record"]) => {
      if (declares(scope, operation)) await declare(scope, operation, write.now);
      return await replyTo(await commit({ ...write, record }), scope, operation, request);
    };
    // Awaited, since a promise that is returned as it is takes two turns more.
    if (!request.idempotency) return await run();
    return idempotency.once<Answer, WriteReply>(
      scope.principal,
      request.idempotency,
      (record) =>
        run(({ image, created }) => record({ id: image.id, version: image.version, text: image.text, created })),
      (answer) => replay(answer, scope, operation, request),
    );
  }

  /** A first write declares its collection, for those who may. */
  function declares(scope: Scope, operation: Operation): boolean {
    const inserts =
      operation.op === "create" || operation.op === "set" || (operation.op === "update" && operation.upsert);
    return inserts && scope.mayDeclare && !definitions.get(scope.collection);
  }

  /** Not for a write that fails on an empty collection: it would leave one behind. */
  async function declare(scope: Scope, operation: Operation, now: Date): Promise<void> {
    refusing(() =>
      operate(operation, undefined, { scope, schema: undefined, now, nextVersion: () => store.nextVersion(0) }),
    );
    await refusing(() => definitions.declare(scope.collection));
  }

  async function replay(
    answer: Answer,
    scope: Scope,
    operation: Operation,
    request: WriteRequest,
  ): Promise<WriteReply> {
    const { id, version, text, created } = answer;
    const image = { id, version, text, value: parseText(text) as Document };
    const action = operation.op === "delete" ? "delete" : created ? "create" : "update";
    await demandStillAllowed(scope, action, { text });
    return await replyTo({ image, created, position: store.position() }, scope, operation, request);
  }

  function documentOf(scope: Scope, body: unknown, { plain }: WriteRequest, faults: Faults): DocumentBody {
    return readDocument(plain ? readerOf(scope).document(body) : body, "document", faults);
  }

  function readerOf(scope: Scope): PlainReader {
    return new PlainReader(definitions.get(scope.collection)?.schema?.places ?? OPEN_PLACES);
  }
}

/** What the record of a keyed write keeps of its answer. */
interface Answer {
  readonly id: string;
  readonly version: number;
  readonly text: string;
  readonly created: boolean;
}

async function replyTo(
  written: Written,
  scope: Scope,
  operation: Operation,
  { plain = false }: WriteRequest,
): Promise<WriteReply> {
  const { image, created, position } = written;
  const shape = { select: undefined, plain };
  const answer = { id: image.id, version: image.version, shape: shapeOf(shape), created, position };
  if (operation.op === "delete") return { ...answer, created: false, text: "" };
  if (scope.exempt) {
    const readable = scope.always("get") ? shape : { ...shape, select: [] };
    return { ...answer, text: show(readable, image) };
  }
  // Who may write but not read learns what was stored under which version, and nothing that stood there before. The write
  // is done: if lookups cannot be read now, nothing more is shown.
  const readable = await underRights(scope, async () => {
    if (!scope.allows("get", { image })) return undefined;
    return { image: seen(scope, image), hidden: scope.masks.none ? [] : scope.masks.hidden(image.value) };
  }).catch(() => undefined);
  if (!readable) return { ...answer, text: show({ ...shape, select: [] }, image) };
  return { ...answer, shape: shapeOf(shape, readable.hidden), text: show(shape, readable.image) };
}

function conditionsOf({ ifVersion, mustExist }: WriteRequest): Pick<Operation, "ifVersion" | "mustExist"> {
  return { ...(ifVersion === undefined ? {} : { ifVersion }), ...(mustExist ? { mustExist } : {}) };
}

function parsing<T>(parse: (faults: Faults) => T): T {
  const faults = new Faults();
  const parsed = parse(faults);
  faults.throwIfAny();
  return parsed;
}

function checkId(id: string, faults: Faults): void {
  const fault = idFault(id);
  if (fault !== undefined) faults.add("_id", "bad_value", fault);
}
