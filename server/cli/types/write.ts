import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type Call, CommandError } from "../command.ts";
import { HEAD } from "./file.ts";

/**
 * Writes a file of types, at once or not at all, so that who reads it meanwhile never sees half of it.
 * @returns false if the file holds the text already, and was left alone
 * @throws CommandError if it cannot be written, or holds what is not ours to replace
 */
export function writeFile(file: string, text: string): boolean {
  const before = readIfThere(file);
  if (before === text) return false;
  if (before !== undefined && before.trim() !== "" && !before.startsWith(HEAD)) {
    throw new CommandError(`${file} was not written by galley types: remove it first, or name another file`);
  }
  const part = join(dirname(file), `.${basename(file)}.${process.pid}.part`);
  try {
    writeFileSync(part, text);
    renameSync(part, file);
  } catch (error) {
    rmSync(part, { force: true });
    throw unwritable(file, error);
  }
  return true;
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw unwritable(file, error);
  }
}

function unwritable(file: string, error: unknown): CommandError {
  const { code, message } = error as NodeJS.ErrnoException;
  return new CommandError(`cannot write ${file}: ${code === "ENOENT" ? "there is no such folder" : (code ?? message)}`);
}

/** In one line; standard output is for what other programs read. */
export function tell(call: Call, file: string, collections: number, changed: boolean): void {
  if (call.json) call.print(JSON.stringify({ file, collections, changed }));
  const count = `${collections} ${collections === 1 ? "collection" : "collections"}`;
  call.warn(changed ? `wrote ${file}: ${count}` : `${file} is up to date: ${count}`);
}
