/**
 * Real questions about the atlas. `ask` puts one to Galley through the SDK; `expect` answers it with plain array code
 * over the packages' own JSON, and the tests hold the two against each other.
 */
import type { Client } from "@galley/sdk";
import type { Schema } from "./galley.d.ts";
import type { SourceCity, SourceCountry } from "./source.ts";

export interface Sources {
  readonly countries: readonly SourceCountry[];
  readonly cities: readonly SourceCity[];
}

export interface Question {
  readonly title: string;
  ask(db: Client<Schema>): Promise<unknown>;
  expect(sources: Sources): unknown;
}

/** The order of the language: by UTF-8 bytes. */
export const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
export const sorted = (texts: Iterable<string>) => [...new Set(texts)].sort(byBytes);
