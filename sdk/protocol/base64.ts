const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const CODES = codesOf(ALPHABET);
const URL_CODES = /* @__PURE__ */ codesOf(ALPHABET.replace("+/", "-_"));
const PADDING = 61; // "="
/** React Native before 0.85 has none. */
const ASCII = globalThis.TextDecoder && new TextDecoder();
const NONE = 255;
/** The six bits that a character stands for, by its code. */
const SEXTETS = new Uint8Array(128).fill(NONE);
for (let i = 0; i < ALPHABET.length; i++) SEXTETS[ALPHABET.charCodeAt(i)] = i;

function codesOf(alphabet: string): Uint8Array {
  return Uint8Array.from(alphabet, (char) => char.charCodeAt(0));
}

/** Standard base64 with padding (RFC 4648 section 4). */
export function encodeBase64(bytes: Uint8Array): string {
  const codes = sextets(bytes, CODES);
  return textOf(codes.fill(PADDING, significant(bytes)));
}

/** Base64 for URLs, without padding (RFC 4648 section 5). */
export function encodeBase64Url(bytes: Uint8Array): string {
  return textOf(sextets(bytes, URL_CODES).subarray(0, significant(bytes)));
}

function textOf(codes: Uint8Array): string {
  return ASCII ? ASCII.decode(codes) : codes.reduce((text, code) => text + String.fromCharCode(code), "");
}

/** The characters that stand for bytes, whole groups of four; those of the last beyond {@link significant} mean nothing. */
function sextets(bytes: Uint8Array, alphabet: Uint8Array): Uint8Array {
  const codes = new Uint8Array(Math.ceil(bytes.length / 3) * 4);
  let length = 0;
  for (let i = 0; i < bytes.length; i += 3) {
    const bits = ((bytes[i] as number) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    for (let shift = 18; shift >= 0; shift -= 6) codes[length++] = alphabet[(bits >> shift) & 63] as number;
  }
  return codes;
}

function significant(bytes: Uint8Array): number {
  return Math.ceil((bytes.length * 4) / 3);
}

/** Reads standard base64; undefined unless the text is exactly what {@link encodeBase64} would write. */
export function decodeBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0) return undefined;
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const chars = text.length - padding;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  let bits = 0;
  let held = 0;
  let length = 0;
  for (let i = 0; i < chars; i++) {
    const sextet = SEXTETS[text.charCodeAt(i)] ?? NONE;
    if (sextet === NONE) return undefined;
    bits = ((bits << 6) | sextet) & 0xffff;
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes[length++] = (bits >> held) & 255;
    }
  }
  return (bits & ((1 << held) - 1)) === 0 ? bytes : undefined;
}
