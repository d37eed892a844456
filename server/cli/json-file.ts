import { readFileSync } from "node:fs";
import { CommandError } from "./command.ts";

/** What a JSON file holds. @throws CommandError naming the file */
export function readJsonFile(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8").replace(/^\ufeff/, ""));
  } catch (error) {
    throw new CommandError(`cannot read ${file}: ${(error as Error).message}`);
  }
}
