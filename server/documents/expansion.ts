import { referencedIds } from "#protocol/expand";
import { LIMITS } from "#protocol/limits";
import type { Scope } from "../access/authorize.ts";
import { Unsettled } from "../access/rule-binder.ts";
import type { DocumentStore } from "../stores/document-store.ts";
import type { Expansion } from "./contract.ts";
import type { Image } from "./images.ts";
import { seen, settled } from "./judgement.ts";
import type { View } from "./requests.ts";
import { type ReplySize, show } from "./views.ts";

/** What the images refer to, and which collection each path leads to, as a reply carries it. */
export async function expand(
  store: DocumentStore,
  scope: Scope,
  images: readonly Image[],
  view: View,
  size: ReplySize,
): Promise<Expansion> {
  const references = Object.fromEntries(view.expand.map(({ path, target }) => [path.join("."), target]));
  return { included: await includedText(store, scope, images, view, size), references: JSON.stringify(references) };
}

/** Those that the caller may get, as the caller may see them. @throws Unsettled, all that is wanted noted */
function visible(scope: Scope, rows: readonly (Image | undefined)[]): Image[] {
  let unsettled: Unsettled | undefined;
  const images = rows.flatMap((row) => {
    try {
      return row && scope.allows("get", { image: row }) ? [seen(scope, row)] : [];
    } catch (error) {
      if (!(error instanceof Unsettled)) throw error;
      unsettled = error;
      return [];
    }
  });
  if (unsettled) throw unsettled;
  return images;
}

/**
 * Reads what the images refer to, each collection by one merged get, under the target's own rule, and writes it as JSON:
 * `{"users": {"u1": {…}}}`. Hidden or gone is absent; query-language.md 5.7.
 */
async function includedText(
  store: DocumentStore,
  scope: Scope,
  images: readonly Image[],
  view: View,
  size: ReplySize,
): Promise<string> {
  const wanted = new Map<string, Set<string>>();
  let left: number = LIMITS.expandIds;
  for (const { path, target } of view.expand) {
    const ids = wanted.get(target) ?? new Set();
    wanted.set(target, ids);
    const before = ids.size;
    for (const id of referencedIds(
      images.map(({ value }) => value),
      path,
      left,
    ))
      ids.add(id);
    left -= ids.size - before;
  }
  const shape = { select: undefined, plain: view.plain };
  const parts: string[] = [];
  for (const [target, ids] of wanted) {
    const there = scope.on(target);
    const rows = ids.size > 0 ? await store.get(target, [...ids]) : [];
    const texts: string[] = [];
    for (const row of await settled(there, () => visible(there, rows))) {
      const text = `${JSON.stringify(row.id)}:${show(shape, row)}`;
      size.add(text);
      texts.push(text);
    }
    parts.push(`${JSON.stringify(target)}:{${texts.join(",")}}`);
  }
  return `{${parts.join(",")}}`;
}
