import { type ObjectValue, parseText, type Value } from "#protocol/values";

const QUOTE = 34;
const COMMA = 44;
const OPEN_LIST = 91;
const BACKSLASH = 92;
const CLOSE_LIST = 93;
const OPEN = 123;
const CLOSE = 125;

/**
 * Some members of a document, read from its canonical text (which has no blanks) without making the rest of it.
 *
 * @param names of members at the top; those that the document has not are absent
 */
export function membersOfText(text: string, names: readonly string[]): ObjectValue {
  const keys = names.map((name) => `${JSON.stringify(name)}:`);
  const members: Record<string, Value> = {};
  for (let at = 1, left = keys.length; left > 0 && text.charCodeAt(at) === QUOTE; ) {
    const from = endOfString(text, at) + 1;
    const to = endOfValue(text, from);
    for (const [i, key] of keys.entries()) {
      if (!text.startsWith(key, at)) continue;
      members[names[i] as string] = parseText(text.slice(from, to));
      left -= 1;
    }
    at = to + 1;
  }
  return members;
}

/** Behind the closing quote of the string that starts here. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    let before = end - 1;
    while (text.charCodeAt(before) === BACKSLASH) before--;
    // An even number of them escape one another.
    if ((end - before) % 2 === 1) return end + 1;
  }
}

function endOfValue(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        at = endOfString(text, at) - 1;
        break;
      case OPEN:
      case OPEN_LIST:
        depth++;
        break;
      case CLOSE:
      case CLOSE_LIST:
        if (depth === 0) return at;
        depth--;
        break;
      case COMMA:
        if (depth === 0) return at;
        break;
    }
  }
  return text.length;
}
