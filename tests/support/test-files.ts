/** Which test files there are, and in what order they run. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./own-modules.ts";

const COMPILED = join("tests", "dist");
const ENDING = ".test.js";

/** What takes long comes first, so that no processor idles at the end; then the rest. */
const FIRST = ["fault", "contract", "bench", "examples", "repo", "sdk", "attack", "fuzz", "cli", "api"];

/** The report is TAP, whether this is given or not. */
const REPORT = "--reporter=tap";

/**
 * Paths of compiled files, from the repository's folder, in the order in which they run.
 *
 * @param given test files and folders of them, as sources; all files if there are none
 * @throws Error with what is not there
 */
export function chooseTestFiles(given: readonly string[]): string[] {
  const paths = given.filter((argument) => argument !== REPORT);
  return inOrder(paths.length === 0 ? allFiles(join(COMPILED, "tests")) : paths.flatMap(filesOf));
}

/** The source of a compiled file, which is its name. */
export function sourceOf(file: string): string {
  return file
    .slice(COMPILED.length + 1)
    .replace(/\.js$/, ".ts")
    .replaceAll("\\", "/");
}

function filesOf(given: string): string[] {
  const path = join(COMPILED, given.replace(/\.ts$/, ".js"));
  if (!existsSync(join(ROOT, path))) throw new Error(`expects test files or folders, and there is no ${given}`);
  return path.endsWith(".js") ? [path] : allFiles(path);
}

function allFiles(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(ENDING))
    .sort()
    .map((name) => join(folder, name));
}

function inOrder(files: readonly string[]): string[] {
  const rank = (file: string) => {
    const place = FIRST.indexOf(sourceOf(file).split("/")[1] ?? "");
    return place === -1 ? FIRST.length : place;
  };
  return files.toSorted((a, b) => rank(a) - rank(b));
}
