import { LIMITS } from "#protocol/limits";

/** A line of NDJSON, or what is wrong with it. */
export type Line =
  | { readonly number: number; readonly text: string }
  | { readonly number: number; readonly fault: { readonly code: "too_long" | "bad_value"; readonly message: string } };

/** Bytes of a line: a document may be written with every character escaped (`\u0041`). */
const LINE_BYTES = 6 * LIMITS.documentBytes;
const NEWLINE = 10;

/**
 * Cuts a stream into lines, holding no more than one of them. Empty lines are skipped, and counted; a carriage return
 * at the end is JSON's white space.
 */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Line> {
  const cutter = new LineCutter();
  for await (const chunk of chunks) {
    let from = 0;
    for (let to = chunk.indexOf(NEWLINE); to !== -1; to = chunk.indexOf(NEWLINE, from)) {
      cutter.take(chunk.subarray(from, to));
      from = to + 1;
      const line = cutter.end();
      if (line) yield line;
    }
    cutter.take(chunk.subarray(from));
  }
  const last = cutter.end();
  if (last) yield last;
}

class LineCutter {
  #number = 0;
  #parts: Uint8Array[] = [];
  #held = 0;

  take(part: Uint8Array): void {
    if (this.#held <= LINE_BYTES && part.length > 0) this.#parts.push(part);
    this.#held += part.length;
    if (this.#held > LINE_BYTES) this.#parts = [];
  }

  /** The line up to here; undefined if there is nothing on it. */
  end(): Line | undefined {
    const number = ++this.#number;
    const [bytes, held] = [Buffer.concat(this.#parts), this.#held];
    [this.#parts, this.#held] = [[], 0];
    if (held > LINE_BYTES)
      return { number, fault: { code: "too_long", message: `is longer than ${LINE_BYTES} bytes` } };
    try {
      const text = UTF8.decode(bytes);
      const bare = number === 1 && text.charCodeAt(0) === BYTE_ORDER_MARK ? text.slice(1) : text;
      return bare.trim() === "" ? undefined : { number, text: bare };
    } catch {
      return { number, fault: { code: "bad_value", message: "is not UTF-8" } };
    }
  }
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const BYTE_ORDER_MARK = 0xfeff;
