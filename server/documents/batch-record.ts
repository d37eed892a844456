import { GalleyError } from "#protocol/errors";
import { LIMITS } from "#protocol/limits";
import { type Document, parseText } from "#protocol/values";
import type { Scope } from "../access/authorize.ts";
import type { Action } from "../access/scopes.ts";
import type { DocumentStore } from "../stores/document-store.ts";
import type { BatchResults, Step } from "./batch.ts";
import type { Image } from "./images.ts";
import { underRights } from "./judgement.ts";
import { notFound, type Operation } from "./operation.ts";
import { refusing } from "./refusal.ts";

/** Characters of documents that the record of a keyed batch keeps. */
const MOST_KEPT = LIMITS.documentBytes;

/** What the record of a keyed batch keeps: its answer, and what a replay is judged by. */
export interface BatchAnswer {
  readonly results: BatchResults;
  readonly judged: readonly Judged[];
}

/** What one operation was judged as. */
export interface Judged {
  readonly action: Action;
  /** The text of what it left, or of what it deleted or saw; absent: there was none, or it was too long to be kept. */
  readonly text?: string;
}

/** An operation that was done: what it found, and what it left. */
interface Done extends Step {
  readonly was: Image | undefined;
  readonly after: Image | undefined;
}

/** What a record keeps of the operations of a batch. */
export function judgedOf(done: readonly Done[]): Judged[] {
  let left = MOST_KEPT;
  return done.map(({ scope, operation, was, after }) => {
    const action = actionOf(operation, was);
    const image = imageOf(operation, was, after);
    // What a key may do does not depend on the document.
    if (!image || scope.exempt || image.text.length > left) return { action };
    left -= image.text.length;
    return { action, text: image.text };
  });
}

/** What an operation turned out to be, by what it found. */
function actionOf({ op }: Operation, found: Image | undefined): Action {
  if (op === "check") return "get";
  if (op === "delete") return op;
  return found ? "update" : "create";
}

function imageOf({ op, ifVersion }: Operation, was: Image | undefined, after: Image | undefined): Image | undefined {
  // A check for absence has seen nothing, whatever is there.
  return op === "check" && ifVersion === 0 ? undefined : (after ?? was);
}

/**
 * Judges a batch that was done by today's rights. Of a document that its record has not kept, by what is stored of it.
 * What operations demand whatever is stored was judged when they were read.
 */
export async function rejudge(
  steps: readonly Step[],
  { judged, results }: BatchAnswer,
  store: Pick<DocumentStore, "get">,
): Promise<void> {
  for (const [i, { scope }] of steps.entries()) {
    const [was, result] = [judged[i], results[i]];
    if (!was || !result) throw new Error(`the record of a batch has no operation ${i}`);
    const image = scope.exempt || was.text !== undefined ? was : await stored(scope.collection, result.id);
    await demandStillAllowed(scope, was.action, image).catch((error: unknown) => {
      throw error instanceof GalleyError ? error.with({ operation: i }) : error;
    });
  }

  async function stored(collection: string, id: string): Promise<{ readonly text?: string }> {
    const [row] = await refusing(() => store.get(collection, [id]));
    return row ?? {};
  }
}

/**
 * Judges what was done by today's rights, which may have shrunk since. Of an update only the new image is at hand: it is
 * denied if the caller could neither have left it nor change it.
 *
 * @throws GalleyError `not_found`
 */
export async function demandStillAllowed(
  scope: Scope,
  action: Action,
  { text }: { readonly text?: string },
): Promise<void> {
  const image = text === undefined ? undefined : { value: parseText(text) as Document };
  const ask = async () => {
    if (!image) return !scope.exempt || scope.always(action);
    return scope.allows(action, { image }) || (action === "update" && scope.allows(action, { image, before: image }));
  };
  if (await refusing(() => underRights(scope, ask))) return;
  // It was applied when it could be: that much is not for somebody to be told who may not do it any more.
  throw notFound().with({ outcome: "unknown" });
}
