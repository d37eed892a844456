import { utf8Length } from "./values.ts";

/**
 * UTF-8 bytes of the JSON text of parsed JSON, counted no further than just past `limit`. It keeps its own stack and
 * stops early, so it is safe on input of any depth and size.
 */
export function jsonBytes(input: unknown, limit: number): number {
  const pending: unknown[] = [input];
  let bytes = 0;
  while (pending.length > 0 && bytes <= limit) {
    const item = pending.pop();
    if (typeof item === "string") bytes += textBytes(item, limit);
    else if (typeof item !== "object" || item === null) bytes += String(item).length;
    else if (Array.isArray(item)) {
      bytes += item.length === 0 ? 2 : item.length + 1;
      // What the brackets and commas say already is enough to stop before a long list is pushed.
      if (bytes <= limit) for (const element of item) pending.push(element);
    } else {
      const keys = Object.keys(item);
      bytes += keys.length === 0 ? 2 : keys.length * 2 + 1;
      for (let i = 0; i < keys.length && bytes <= limit; i++) {
        const key = keys[i] as string;
        bytes += textBytes(key, limit);
        pending.push((item as Record<string, unknown>)[key]);
      }
    }
  }
  return bytes;
}

function textBytes(text: string, limit: number): number {
  return text.length > limit ? limit + 1 : utf8Length(JSON.stringify(text));
}
