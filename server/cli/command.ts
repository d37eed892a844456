import type { Writable } from "node:stream";
import type { ParseArgsConfig } from "node:util";

/** One command of the command line. Its file is loaded only when it is called, so that `galley dev` starts fast. */
export interface Command {
  /** Shown by --help: how it is called, after `galley `. */
  readonly usage: string;
  readonly help: string;
  /** How many arguments it takes at most: one more is told rather than passed over. */
  readonly positionals: number;
  readonly options: NonNullable<ParseArgsConfig["options"]>;
  /** @throws CommandError with one clear line; anything else that is thrown is a defect */
  run(call: Call): Promise<void>;
}

export interface Call {
  readonly positionals: readonly string[];
  readonly values: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;
  /** `--json`: machine output, one JSON value a line. */
  readonly json: boolean;
  readonly env: NodeJS.ProcessEnv;
  readonly output: Output;
  /** A line of standard output. */
  print(line: string): void;
  /** A line that is not among those that another program may read. */
  warn(line: string): void;
}

/** Where words go: a process is one. */
export interface Output {
  readonly stdout: Writable;
  readonly stderr: Writable & { readonly isTTY?: boolean };
}

/** A failure that the user can mend: printed as one line, exit code 1. */
export class CommandError extends Error {}

/** A text option, or undefined if it was not given. */
export function textOption(call: Call, name: string): string | undefined {
  const value = call.values[name];
  return typeof value === "string" ? value : undefined;
}

/** The positional argument at `index`. @throws CommandError naming what is missing */
export function needed(call: Call, index: number, what: string): string {
  const value = call.positionals[index];
  if (value === undefined) throw new CommandError(`missing <${what}>; see --help`);
  return value;
}
