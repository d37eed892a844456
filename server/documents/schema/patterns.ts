import { RE2JS } from "re2js";

/** Characters of a pattern. RE2 compiles in time and memory linear in its length, and bounds repeats itself. */
const PATTERN_CHARACTERS = 1024;

/** A compiled `pattern`, as the validator calls it. */
export interface Pattern {
  test(text: string): boolean;
  toString(): string;
}

/** Compiled patterns, since some take milliseconds: a schema is judged, compiled and compiled again. */
const compiled = new Map<string, Pattern>();
const MAX_COMPILED = 1000;

/**
 * Compiles a `pattern` in RE2 syntax, which never backtracks: a hostile text costs no more than its length.
 * @throws Error saying what is wrong with the pattern
 */
export function compilePattern(source: string): Pattern {
  const known = compiled.get(source);
  if (known) return known;
  if (source.length > PATTERN_CHARACTERS) throw new Error(`a pattern has at most ${PATTERN_CHARACTERS} characters`);
  // JavaScript's `\uXXXX` and `\/` are what JSON Schema's authors write.
  const expression = RE2JS.compile(RE2JS.translateRegExp(source));
  const pattern: Pattern = { test: (text) => expression.test(text), toString: () => source };
  if (compiled.size >= MAX_COMPILED) compiled.clear();
  compiled.set(source, pattern);
  return pattern;
}

/** What is wrong with a pattern, in words; undefined if it compiles. */
export function patternFault(source: string): string | undefined {
  try {
    compilePattern(source);
    return undefined;
  } catch (error) {
    return `expects a pattern in RE2 syntax: ${error instanceof Error ? error.message : String(error)}`;
  }
}
