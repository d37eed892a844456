import type { Document } from "#protocol/values";
import { parseText } from "#protocol/values";
import type { Row } from "../document-store.ts";

/** Counts documents that were parsed, so that tests can show which reads parse none. */
export interface ParseMeter {
  parsed: number;
}

/** A row whose text is parsed at first use. */
export class StoredRow implements Row {
  readonly id: string;
  readonly version: number;
  readonly text: string;
  readonly #meter: ParseMeter;
  #value: Document | undefined;

  constructor(id: string, version: number, text: string, meter: ParseMeter) {
    this.id = id;
    this.version = version;
    this.text = text;
    this.#meter = meter;
  }

  get value(): Document {
    if (this.#value === undefined) {
      this.#value = parseText(this.text) as Document;
      this.#meter.parsed += 1;
    }
    return this.#value;
  }
}
