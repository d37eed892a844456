/** Leads from compiled files to their sources. Node's own way would read the maps of all modules of every process. */
import { readFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { dirname, join, relative } from "node:path";
import { ROOT } from "./own-modules.ts";

const POSITION = /(?:file:\/\/)?[^\s()'"]*?\b(tests\/dist\/[\w./-]+\.js):(\d+):(\d+)/g;

/** A text in which positions in tests/dist are those of the sources. */
export function mappedPositions(text: string): string {
  return text.replace(POSITION, (whole, file: string, line: string, column: string) => {
    const entry = mapOf(file)?.findEntry(Number(line) - 1, Number(column) - 1);
    if (!entry || !("originalSource" in entry)) return whole;
    const source = relative(ROOT, join(ROOT, dirname(file), entry.originalSource));
    return `${source}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  });
}

function mapOf(file: string): SourceMap | undefined {
  try {
    return new SourceMap(JSON.parse(readFileSync(join(ROOT, `${file}.map`), "utf8")));
  } catch {
    return undefined;
  }
}
