import type { QueryBody } from "./protocol/api.ts";

/** Which documents of a match to bring, in which order, and what of each. Text and numbers only. */
export type Shape = { readonly [K in Exclude<keyof QueryBody, "filter">]?: QueryBody[K] | undefined };

/** A shape with its lists in order: a reference is read if it is to be followed, and no list is empty. */
export function ordered<S extends Shape>({ select, expand = [], ...shape }: S): Shape {
  // One name stands for a list of it, as it does in a URL; spread, it would be a list of letters.
  const selected = select && [...new Set([select, expand].flat())];
  return {
    ...shape,
    // `_id` comes in any case, so it is what selecting nothing means.
    ...(selected && { select: selected[0] ? selected : ["_id"] }),
    ...(expand[0] && { expand }),
  };
}

/**
 * The query part of a URL; undefined if what was asked can only be told in a body: commas between a list's names would
 * tear one of them, or something is no text at all, which the server then refuses by its place.
 */
export function parameters(values: Shape & { readonly filter?: string | undefined }): string | undefined {
  let url = "";
  for (const [name, value] of Object.entries(values) as [string, string | number | string[] | undefined][]) {
    if (typeof value === "object" && !/^\[("[^",]+",?)+]$/.test(JSON.stringify(value))) return undefined;
    if (value !== undefined) url += `${url ? "&" : "?"}${name}=${encodeURIComponent(`${value}`)}`;
  }
  return url;
}
