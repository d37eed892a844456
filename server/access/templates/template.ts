import type { IndexDefinition } from "../../stores/document-store.ts";
import { ownerTemplate } from "./owner.ts";
import { teamTemplate } from "./team.ts";

/** What opens a collection in one word (access-rules.md 13). */
export interface Template {
  /** The collection that was asked for first, then those that it needs. */
  readonly declarations: readonly Declaration[];
  /** As in `rules.json`. */
  readonly rules: {
    readonly shared?: { readonly lookups: Json; readonly macros: Json };
    readonly collections: Json;
  };
  /** As in `rules.tests.json`. Its names start with the collection's, so that no two templates clash. */
  readonly tests: {
    readonly users: Json;
    readonly documents: Readonly<Record<string, readonly Json[]>>;
    readonly tests: readonly Json[];
  };
}

export interface Declaration {
  readonly name: string;
  readonly schema: Json;
  readonly indexes: readonly IndexDefinition[];
}

export type Json = Readonly<Record<string, unknown>>;

/** Each with the name of the field by which it tells whose a document is, if none is given. */
export const TEMPLATES = { owner: "ownerId", "public-read": "ownerId", team: "teamId" } as const;
export type TemplateName = keyof typeof TEMPLATES;

/** @param field a field at the top of documents */
export function templateOf(name: TemplateName, collection: string, field: string): Template {
  switch (name) {
    case "owner":
      return ownerTemplate(collection, field, false);
    case "public-read":
      return ownerTemplate(collection, field, true);
    case "team":
      return teamTemplate(collection, field);
  }
}
