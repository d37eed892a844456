import type { Document } from "#protocol/values";
import { parseText } from "#protocol/values";
import type { Row } from "../document-store.ts";

/** Counts documents that were parsed, so that tests can show which reads parse none. */
export interface ParseMeter {
  parsed: number;
}

/** How a text begins, unless a key of the document is a number, which comes before all others. */
const HEAD = /^\{"_id":"([^"]+)","_v":(\d+),/;

/** A row whose text is parsed at first use. Its id and version come from the text where they were not read beside it. */
export class StoredRow implements Row {
  readonly text: string;
  readonly #id: string | undefined;
  readonly #version: number | undefined;
  readonly #meter: ParseMeter;
  #value: Document | undefined;

  constructor(id: string | undefined, version: number | undefined, text: string, meter: ParseMeter) {
    this.#id = id;
    this.#version = version;
    this.text = text;
    this.#meter = meter;
  }

  get id(): string {
    return this.#id ?? HEAD.exec(this.text)?.[1] ?? this.value._id;
  }

  get version(): number {
    return this.#version ?? Number(HEAD.exec(this.text)?.[2] ?? this.value._v);
  }

  get unread(): string | undefined {
    return this.#value === undefined ? this.text : undefined;
  }

  get value(): Document {
    if (this.#value === undefined) {
      this.#value = parseText(this.text) as Document;
      this.#meter.parsed += 1;
    }
    return this.#value;
  }
}
