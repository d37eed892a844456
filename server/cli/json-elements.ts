/**
 * Splits the bytes of a JSON array of objects into its elements' texts, without parsing them: each document reaches the
 * server as it was written, so that the server's parser alone judges it (a JSON library would turn 1e999 into null and
 * 2^53 + 1 into 2^53 on the way). Memory holds one element at a time.
 *
 * @throws SyntaxError if the input is not an array of values
 */
export async function* jsonElements(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let depth = 0;
  let inString = false;
  let escaped = false;
  let afterComma = false;
  let state: "before" | "inside" | "after" = "before";
  for await (const chunk of chunks) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    // Where the current element goes on in this chunk; -1 while between elements.
    let from = held.length > 0 ? 0 : -1;
    const end = (at: number): Buffer => {
      const element = Buffer.concat([...held, bytes.subarray(from, at)]);
      held = [];
      from = -1;
      return element;
    };
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i] as number;
      if (inString) {
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) inString = false;
        continue;
      }
      if (isSpace(byte) && from === -1) continue;
      if (state === "before") {
        if (byte === BOM[0] || byte === BOM[1] || byte === BOM[2]) continue;
        if (byte !== OPEN_ARRAY) throw new SyntaxError("expects a JSON array of objects");
        state = "inside";
        continue;
      }
      if (state === "after") throw new SyntaxError("has text after the end of its array");
      if (depth === 0 && (byte === COMMA || byte === CLOSE_ARRAY)) {
        if (from !== -1) yield end(i);
        else if (byte === COMMA || afterComma)
          throw new SyntaxError("has a comma without an element before or after it");
        afterComma = byte === COMMA;
        if (byte === CLOSE_ARRAY) state = "after";
        continue;
      }
      if (from === -1) from = i;
      if (byte === QUOTE) inString = true;
      else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) depth++;
      else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) depth--;
    }
    if (from !== -1) held.push(Buffer.from(bytes.subarray(from)));
  }
  if (state !== "after") throw new SyntaxError("ends before its array does");
}

const [QUOTE, BACKSLASH, COMMA, OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [34, 92, 44, 91, 93, 123, 125];
const BOM = [0xef, 0xbb, 0xbf];

function isSpace(byte: number): boolean {
  return byte === 32 || byte === 10 || byte === 13 || byte === 9;
}
