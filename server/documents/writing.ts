import { GalleyError } from "#protocol/errors";
import type { Document } from "#protocol/values";
import type { Scope } from "../access/authorize.ts";
import { Unsettled } from "../access/rule-binder.ts";
import { attempts, LostRace } from "../stores/attempts.ts";
import type { DocumentStore, Position, Write } from "../stores/document-store.ts";
import type { Definitions } from "./definitions.ts";
import type { Image } from "./images.ts";
import { discreet } from "./judgement.ts";
import { enforceSchema, type Operation, operate, taken } from "./operation.ts";
import { faultyWrite, refused, withoutPlace } from "./refusal.ts";
import { WriteQueue } from "./write-queue.ts";

/** What a single write did. */
export interface Written {
  /** The document as it now is; of a delete, as it last was. */
  readonly image: Image;
  readonly created: boolean;
  readonly position: Position;
}

/** Makes the record of a keyed write, in one document or several, which go into the same commit as its effect. */
export type RecordOf<Answer> = (answer: Answer) => readonly Write[];

/** The record of an idempotent write is there already: another node was faster. */
export class RecordTaken extends Error {}

export interface SingleWrite {
  readonly scope: Scope;
  readonly operation: Operation;
  /** The request's one instant. */
  readonly now: Date;
  readonly record?: RecordOf<Omit<Written, "position">> | undefined;
}

export interface WriterOptions {
  readonly store: DocumentStore;
  readonly definitions: Definitions;
  readonly random: (bytes: number) => Uint8Array;
  /** Whether a write in a collection changes what somebody may do (access-rules.md 5.6). */
  readonly grantsRights: (collection: string) => boolean;
}

/** Reads what a verdict lacks, and takes rights as they are now. */
export async function prepare(scope: Scope): Promise<void> {
  await scope.settle();
  if (!scope.current) await scope.confirm();
}

/** Writes single documents: read, compute, judge, commit if nothing changed in between; query-language.md 6 and 9. */
export interface Writer {
  /** A new document, expected to be absent: nothing is read before. */
  create(write: SingleWrite): Promise<Written>;
  /** A change of what may be there. Waits in the document's line and may share a commit with its neighbours. */
  change(write: SingleWrite): Promise<Written>;
  /** Waits until no single write touches these documents, and keeps it so until the result is called. */
  hold(documents: Iterable<string>): Promise<() => void>;
}

/** A write that waits for its answer, which it gets once. */
class Job {
  readonly write: SingleWrite;
  open = true;
  readonly #resolve: (written: Written) => void;
  readonly #reject: (error: unknown) => void;

  constructor(write: SingleWrite, resolve: (written: Written) => void, reject: (error: unknown) => void) {
    this.write = write;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  done(written: Written): void {
    this.open = false;
    this.#resolve(written);
  }

  fail(error: unknown): void {
    this.open = false;
    this.#reject(error);
  }
}

interface Applied {
  readonly job: Job;
  readonly result: Omit<Written, "position">;
}

/** The line of a document. Neither a name nor an id holds a slash. */
export function lineOf(collection: string, id: string): string {
  return `${collection}/${id}`;
}

export function createWriter({ store, definitions, random, grantsRights }: WriterOptions): Writer {
  const queue = new WriteQueue<Job>(settle);

  return {
    create: (write) =>
      new Promise((resolve, reject) => {
        const job = new Job(write, resolve, reject);
        commitTogether([job], undefined).catch((error: unknown) => {
          if (job.open) job.fail(error instanceof LostRace ? refused(taken(write.operation)) : error);
        });
      }),
    change: (write) =>
      new Promise((resolve, reject) => {
        queue.push(lineOf(write.scope.collection, write.operation.id), new Job(write, resolve, reject));
      }),
    hold: (documents) => queue.hold(documents),
  };

  /** Answers every job of one document. */
  async function settle(jobs: readonly Job[]): Promise<void> {
    try {
      await commitSeparably(jobs);
    } catch (error) {
      for (const job of jobs) if (job.open) job.fail(error);
    }
  }

  /** All in one commit; one by one if the store refuses what they leave together, so that only the faulty one fails. */
  async function commitSeparably(jobs: readonly Job[]): Promise<void> {
    try {
      await attempts(random, () => readAndCommit(jobs));
    } catch (error) {
      const code = error instanceof GalleyError ? error.code : undefined;
      if (jobs.length === 1 || (code !== "unique_violation" && code !== "schema_violation")) throw error;
      for (const job of jobs) {
        await attempts(random, () => readAndCommit([job])).catch((failure: unknown) => job.fail(failure));
      }
    }
  }

  async function readAndCommit(jobs: readonly Job[]): Promise<void> {
    const open = jobs.filter((job) => job.open);
    const [first] = open;
    if (!first) return;
    const { scope, operation } = first.write;
    let before: Image | undefined;
    try {
      [before] = await store.get(scope.collection, [operation.id]);
    } catch (error) {
      throw refused(error);
    }
    await commitTogether(open, before);
  }

  /**
   * Applies the jobs one after another to what is stored and commits the last image. Who fails may have failed on an
   * image of a neighbour, so that is told only when the image is stored.
   *
   * @throws LostRace if what is stored has changed; what else the store refuses
   */
  async function commitTogether(jobs: readonly Job[], before: Image | undefined): Promise<void> {
    const [first] = jobs;
    if (!first) return;
    const { collection } = first.write.scope;
    const { image, applied, failed } = await compute(jobs, before);
    if (applied.length > 0) {
      const write = netWrite(collection, first.write.operation.id, before, image);
      // What did not change is not stored, and need not be made from its text.
      const position = await commit(write, image === before ? undefined : image?.value, applied).catch((error) => {
        const [only, ...others] = applied;
        throw only && image && others.length === 0 ? discreet(only.job.write.scope, image, error) : error;
      });
      for (const { job, result } of applied) job.done({ ...result, position });
    }
    for (const { job, error } of failed) job.fail(error);
  }

  /** Computes and judges. What is returned holds as long as no turn of the event loop passes. */
  async function compute(jobs: readonly Job[], before: Image | undefined) {
    const failed: { job: Job; error: unknown }[] = [];
    for (let left = jobs; ; left = left.filter((job) => !failed.some((failure) => failure.job === job))) {
      let image = before;
      const applied: Applied[] = [];
      const failedNow: { job: Job; error: unknown }[] = [];
      const unsettled: Job[] = [];
      for (const job of left) {
        try {
          const after = apply(job.write, image);
          const answer = after ?? image;
          if (answer) applied.push({ job, result: { image: answer, created: !image } });
          image = after;
        } catch (error) {
          if (error instanceof Unsettled) unsettled.push(job);
          else failedNow.push({ job, error: refused(error) });
        }
      }
      const stale = left.filter(({ write }) => !write.scope.current);
      if (unsettled.length === 0 && stale.length === 0) return { image, applied, failed: [...failed, ...failedNow] };
      await Promise.all(
        [...new Set([...unsettled, ...stale])].map((job) =>
          prepare(job.write.scope).catch((error: unknown) => failed.push({ job, error: refused(error) })),
        ),
      );
    }
  }

  async function commit(write: Write, value: Document | undefined, applied: readonly Applied[]): Promise<Position> {
    const writes = [write];
    const recorded: Job[] = [];
    for (const { job, result } of applied) {
      for (const record of job.write.record?.(result) ?? []) {
        writes.push(record);
        recorded.push(job);
      }
    }
    try {
      const position = await store.commit(writes, [value]);
      // Whoever is told of a change of rights may rely on it.
      if (grantsRights(write.collection)) await store.barrier(position);
      return position;
    } catch (error) {
      throw whatFailed(error, recorded);
    }
  }

  /** No turn of the event loop passes between this and the commit, so the schema judged by is the one that holds. */
  function apply({ scope, operation, now }: SingleWrite, before: Image | undefined): Image | undefined {
    const definition = definitions.get(scope.collection);
    const nextVersion = (image: Image | undefined) => store.nextVersion(image?.version ?? 0);
    const after = operate(operation, before, { scope, schema: definition?.schema, now, nextVersion });
    if (after && after !== before) {
      if (!definition) throw dropped();
      enforceSchema(after, definition.schema, "document", scope);
    }
    return after;
  }

  function whatFailed(error: unknown, recorded: readonly Job[]): unknown {
    const at = faultyWrite(error);
    if (at === undefined || !(error instanceof GalleyError) || error.code !== "version_conflict") {
      return withoutPlace(error);
    }
    // A record that is there belongs to a twin on another node: that one caller replays, the others go on.
    if (at > 0) recorded[at - 1]?.fail(new RecordTaken());
    return new LostRace();
  }
}

/** What one commit does to a document in the end. Where nothing changes, it still proves that nothing has. */
export function netWrite(collection: string, id: string, before: Image | undefined, after: Image | undefined): Write {
  const expect = before?.version ?? 0;
  if (after === before) return { kind: "check", collection, id, expect };
  if (!after) return { kind: "delete", collection, id, expect };
  return { kind: "put", collection, id, expect, version: after.version, text: after.text };
}

export function dropped(): GalleyError {
  return new GalleyError("contention", "the collection was dropped meanwhile: try again");
}
