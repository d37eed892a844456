import { GalleyError } from "#protocol/errors";
import type { Path } from "#protocol/paths";
import { encodeValue } from "#protocol/values";
import type { Scope } from "../access/authorize.ts";
import { Unsettled } from "../access/rule-binder.ts";
import type { Action } from "../access/scopes.ts";
import type { Image } from "./images.ts";

/** Times that a question is asked again because rights changed while it was answered. */
const ATTEMPTS = 10;

/**
 * Answers a question that writes nothing, under the rights that hold when the answer is ready (access-rules.md 10.2). The
 * lookups that a verdict needs are read in between.
 */
export async function underRights<T>(scope: Scope, ask: () => Promise<T>): Promise<T> {
  for (let tried = 1; tried <= ATTEMPTS; ) {
    try {
      const answer = await ask();
      if (scope.current || (await scope.confirm())) return answer;
      tried++;
    } catch (error) {
      if (!(error instanceof Unsettled)) throw error;
      await scope.settle();
    }
  }
  throw new GalleyError("contention", "rights change too often at the moment: try again", { outcome: "not_applied" });
}

/** Runs something, again each time that lookups it needs have been read. */
export async function settled<T>(scope: Pick<Scope, "settle">, run: () => T | Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof Unsettled)) throw error;
      await scope.settle();
    }
  }
}

/** As {@link settled}, without a promise where every lookup is read: most verdicts need none. */
export function settledAtOnce<T>(scope: Pick<Scope, "settle">, judge: () => T): T | Promise<T> {
  try {
    return judge();
  } catch (error) {
    if (!(error instanceof Unsettled)) throw error;
    return scope.settle().then(() => settled(scope, judge));
  }
}

/**
 * Demands anew what long work began with, if rights have changed since (promise P9).
 * @throws GalleyError as `Scope.demand`; `unauthenticated` for who is nobody any more
 */
export async function demandStill(scope: Scope, actions: readonly Action[]): Promise<void> {
  if (scope.current) return;
  await scope.confirm();
  for (const action of actions) scope.demand(action);
}

/** @throws GalleyError of the first action, if all of them are forbidden whatever is stored */
export function demandAny(scope: Scope, actions: readonly Action[]): void {
  let refusal: unknown;
  for (const action of actions) {
    try {
      scope.demand(action);
      return;
    } catch (error) {
      refusal ??= error;
    }
  }
  throw refusal;
}

/** An image as the caller may see it: the same one if nothing is hidden. */
export function seen({ masks }: Pick<Scope, "masks">, image: Image): Image {
  if (masks.none) return image;
  const value = masks.hide(image.value);
  return value === image.value ? image : { id: image.id, version: image.version, value, text: encodeValue(value) };
}

/**
 * An error of a write that names nothing which its sender may not read in the image (access-rules.md 6.6): no index, no
 * fault of the schema.
 */
export function discreet(scope: Scope, image: Image, error: unknown): unknown {
  if (!(error instanceof GalleyError) || scope.masks.none) return error;
  const { index, faults, ...details } = error.details;
  const hidden = (path: Path) => scope.masks.unreadable(image.value, [path]) !== undefined;
  if (index?.paths.some((path) => hidden(path.split(".")))) {
    const message = INDEX_MESSAGES[error.code] ?? "the document cannot be stored";
    return new GalleyError(error.code, message, details, error.cause);
  }
  const shown = faults?.filter(({ path }) => !hidden(path.split(".").slice(1)));
  if (!faults || shown?.length === faults.length) return error;
  const message = shown?.[0]?.message ?? "the document does not fit the schema of its collection";
  return new GalleyError(error.code, message, { ...details, ...(shown?.length && { faults: shown }) }, error.cause);
}

const INDEX_MESSAGES: Readonly<Record<string, string>> = {
  unique_violation: "another document has the same value where it must be unique",
  schema_violation: "an index of the collection cannot hold the document",
};
