import type { Node } from "#protocol/ast";
import { GalleyError } from "#protocol/errors";
import { compileFilter } from "#protocol/match";
import type { ObjectValue } from "#protocol/values";
import type { Scope } from "../access/authorize.ts";
import type { Action } from "../access/scopes.ts";
import type { Image } from "./images.ts";

/** Rules are compiled once: a Node is frozen, and the same one comes back for the same rights. */
const compiled = new WeakMap<Node, (document: ObjectValue) => boolean>();

/** Whether a document passes a filter. One that is always true looks at nothing. */
export function matches(filter: Node, image: Image): boolean {
  if (filter.kind === "true") return true;
  const test = compiled.get(filter) ?? compileFilter(filter);
  compiled.set(filter, test);
  return test(image.value);
}

/**
 * Whether the scope allows an action on a document.
 * @throws GalleyError `unauthenticated` or `permission_denied` if it allows the action on none
 */
export function passes(scope: Scope, action: Action, image: Image): boolean {
  return matches(scope.require(action), image);
}

/** The same without throwing. Without a document: whether the action is allowed on every one. */
export function mayDo(scope: Scope, action: Action, image?: Image): boolean {
  let filter: Node;
  try {
    filter = scope.require(action);
  } catch (error) {
    if (error instanceof GalleyError && error.status < 500) return false;
    throw error;
  }
  return image ? matches(filter, image) : filter.kind === "true";
}

/** @throws GalleyError of the first action, if none of them is allowed at all */
export function requireAny(scope: Scope, actions: readonly Action[]): void {
  let refusal: unknown;
  for (const action of actions) {
    try {
      scope.require(action);
      return;
    } catch (error) {
      refusal ??= error;
    }
  }
  throw refusal;
}
