import { GalleyError } from "#protocol/errors";

/** Levels of a body: a document's 32 and what may stand around it. */
const MAX_DEPTH = 100;
/**
 * Objects, arrays and members in one body. Ten megabytes of nothing but them would hold the process for seconds, because
 * every key is interned; a batch of real documents has a tenth of it, and a document of 1 MiB at most half.
 */
const MAX_PARTS = 256 * 1024;

const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

/**
 * Looks over JSON text before it is parsed, in one pass over its bytes, so that what is only meant to hurt costs nothing.
 *
 * @throws GalleyError `invalid_argument` if it nests too deep, `payload_too_large` if it has too many parts
 */
export function checkShape(text: Uint8Array, at: string): void {
  let depth = 0;
  let parts = 0;
  for (let i = 0; i < text.length; i++) {
    switch (text[i]) {
      case QUOTE:
        for (i++; i < text.length && text[i] !== QUOTE; i++) if (text[i] === BACKSLASH) i++;
        break;
      case COLON:
        parts++;
        break;
      case OPEN_OBJECT:
      case OPEN_ARRAY:
        parts++;
        if (++depth > MAX_DEPTH) throw tooDeep(at);
        break;
      case CLOSE_OBJECT:
      case CLOSE_ARRAY:
        depth--;
        break;
    }
  }
  if (parts > MAX_PARTS) {
    throw new GalleyError(
      "payload_too_large",
      `the ${at} has more than ${MAX_PARTS} objects, arrays and members: send it in parts`,
    );
  }
}

function tooDeep(at: string): GalleyError {
  const message = `${at}: is nested deeper than ${MAX_DEPTH} levels`;
  return new GalleyError("invalid_argument", message, { faults: [{ path: at, code: "too_deep", message }] });
}
