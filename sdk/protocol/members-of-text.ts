import type { Node } from "./ast.ts";
import { pathsOf } from "./filter-paths.ts";
import { compileFilter } from "./match.ts";
import type { Path } from "./paths.ts";
import { type ObjectValue, parseText, type Value } from "./values.ts";

const QUOTE = 34;
const COMMA = 44;
const OPEN_LIST = 91;
const BACKSLASH = 92;
const CLOSE_LIST = 93;
const OPEN = 123;
const CLOSE = 125;

/** Beyond this many members it is as fast to make the whole document. */
const MOST = 6;

/** As `compileFilter`, of documents as their canonical texts, of which it reads only what the filter names. */
export function compileTextFilter(node: Node): (text: string) => boolean {
  if (node.kind === "true") return () => true;
  const read = memberReader(pathsOf(node));
  const matches = compileFilter(node);
  return (text) => matches(read(text));
}

/**
 * Reads members of documents from their canonical texts (which have no blanks) without making the rest of them.
 *
 * @param paths whose first segments are the members; those that a document has not are absent
 */
export function memberReader(paths: readonly Path[]): (text: string) => ObjectValue {
  const names = [...new Set(paths.map(([top]) => top as string))];
  if (names.length > MOST) return (text) => parseText(text) as ObjectValue;
  const keys = names.map((name) => `${JSON.stringify(name)}:`);
  return (text) => {
    const members: Record<string, Value> = {};
    for (let at = 1, left = keys.length; left > 0 && text.charCodeAt(at) === QUOTE; ) {
      let which = keys.length - 1;
      while (which >= 0 && !text.startsWith(keys[which] as string, at)) which--;
      const from = which === -1 ? endOfString(text, at) + 1 : at + (keys[which] as string).length;
      const to = endOfValue(text, from);
      if (which !== -1) {
        members[names[which] as string] = readValue(text, from, to);
        left -= 1;
      }
      at = to + 1;
    }
    return members;
  };
}

function readValue(text: string, from: number, to: number): Value {
  const value = text.slice(from, to);
  // Most of what is asked for are strings that escape nothing, and those stand there as they are.
  const plain = value.charCodeAt(0) === QUOTE && !value.includes("\\");
  return plain ? value.slice(1, -1) : parseText(value);
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
  if (text.charCodeAt(start) === QUOTE) return endOfString(text, start);
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
